"""ClamAV looks at every file before anybody gets it, however often it is away."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO

import pytest
from django.db.models.functions import Now

from deploy.embedded.postgres import free_port
from tests.clamd import EICAR, LONGEST_STREAM, Clamd
from tests.server import wait_for
from tests.test_attachments import ZIP, in_thread, on_disk, refused, say
from tickets import attachments, clamav, scanning
from tickets.models import Attachment

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 1000


@pytest.fixture
def clamd(settings):
    Attachment.objects.filter(state="scanning").update(state="rejected")  # of other tests
    daemon = Clamd()
    settings.CLAMAV_ADDRESS = daemon.address
    yield daemon
    daemon.stop()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(scanning, "RETRY_AFTER", timedelta(0))
    monkeypatch.setattr(clamav, "WITHIN", 0.3)


def state_of(attachment):
    return Attachment.objects.get(pk=attachment["id"]).state


def test_a_file_is_ready_once_it_is_found_clean(call, upload, alice, ticket, clamd):
    sent = upload(alice, ticket, PNG, "a.png")
    assert sent["state"] == "scanning"
    assert refused(call(alice, "GET", f"/attachments/{sent['id']}/"))
    assert refused(say(call, alice, ticket, sent["id"]))
    assert scanning.scan_waiting() == 1
    assert clamd.seen == [PNG]
    assert call(alice, "GET", f"/tickets/{ticket['id']}/attachments/").json()["results"] == [sent | {"state": "ready"}]
    assert say(call, alice, ticket, sent["id"]).json()["attachment"]["state"] == "ready"
    assert scanning.scan_waiting() == 0


@pytest.mark.parametrize("content", [EICAR, ZIP + EICAR, b"GIF89a" + EICAR], ids=["alone", "behind a zip", "in a gif"])
def test_eicar_is_rejected_and_its_file_gone(call, upload, alice, ticket, clamd, content):
    sent = upload(alice, ticket, content, "prize.txt")
    assert on_disk(sent).exists()
    scanning.scan_waiting()
    assert not on_disk(sent).exists()
    assert state_of(sent) == "rejected"
    assert refused(call(alice, "GET", f"/attachments/{sent['id']}/"))
    assert refused(say(call, alice, ticket, sent["id"]))


@pytest.mark.parametrize("mood", ["confused", "cut off", "hangs up", "too small", "failing"])
@pytest.mark.usefixtures("impatient")
def test_what_is_no_clean_answer_makes_nothing_ready(upload, alice, ticket, clamd, mood):
    clamd.mood = mood
    sent = upload(alice, ticket, PNG, "a.png")
    assert [scanning.scan_waiting() for _ in range(3)] == [0, 0, 0]
    assert (state_of(sent), on_disk(sent).exists()) == ("scanning", True)
    clamd.mood = "well"
    assert scanning.scan_waiting() == 1
    assert state_of(sent) == "ready"


@pytest.mark.usefixtures("impatient")
def test_a_scanner_that_is_away_is_asked_again(upload, alice, ticket, clamd):
    port = clamd.address[1]
    clamd.stop()
    sent = upload(alice, ticket, PNG, "a.png")
    assert scanning.scan_waiting() == 0
    assert state_of(sent) == "scanning"
    back = Clamd(port)
    assert scanning.scan_waiting() == 1
    assert state_of(sent) == "ready"
    back.stop()


@pytest.mark.usefixtures("impatient")
def test_a_scanner_that_takes_for_ever_is_left(upload, alice, ticket, clamd):
    clamd.lets_go.clear()
    sent = upload(alice, ticket, PNG, "a.png")
    assert scanning.scan_waiting() == 0
    assert state_of(sent) == "scanning"


def test_one_that_cannot_be_scanned_now_lets_the_others_go_first(upload, alice, ticket, clamd):
    clamd.mood = "failing"
    first, second = upload(alice, ticket), upload(alice, ticket)
    assert scanning.scan_waiting() == 0
    clamd.mood = "well"
    assert scanning.scan_waiting() == 1
    assert (state_of(first), state_of(second)) == ("scanning", "ready")


def test_several_processes_share_the_work_and_scan_nothing_twice(upload, alice, ticket, clamd):
    sent = [upload(alice, ticket, b"file %d" % number) for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        scanned = list(pool.map(lambda _: in_thread(scanning.scan_waiting), range(4)))
    assert sum(scanned) == len(clamd.seen) == len(set(clamd.seen)) == 12
    assert {state_of(each) for each in sent} == {"ready"}


def test_what_a_killed_process_was_scanning_is_taken_up_again(upload, alice, ticket, clamd):
    sent = upload(alice, ticket)
    assert scanning._take() == uuid.UUID(sent["id"])  # and is killed
    assert scanning.scan_waiting() == 0
    Attachment.objects.filter(pk=sent["id"]).update(scan_at=Now())  # two minutes later
    assert scanning.scan_waiting() == 1
    assert state_of(sent) == "ready"


def test_a_process_killed_between_the_verdict_and_the_file_leaves_no_virus(upload, alice, ticket, clamd, monkeypatch):
    sent = upload(alice, ticket, EICAR)
    with monkeypatch.context() as killed:
        killed.setattr("tickets.files.drop", lambda _: None)
        scanning.scan_waiting()
    assert (state_of(sent), on_disk(sent).exists()) == ("rejected", True)
    attachments.clean_up(left_after=-1)
    assert not on_disk(sent).exists()


def test_a_file_that_is_lost_is_never_ready(upload, alice, ticket, clamd):
    sent = upload(alice, ticket)
    on_disk(sent).unlink()
    assert scanning.scan_waiting() == 1
    assert (state_of(sent), clamd.seen) == ("rejected", [])


def test_without_a_scanner_nothing_that_waits_for_one_becomes_ready(upload, alice, ticket, clamd, settings):
    sent = upload(alice, ticket)
    settings.CLAMAV_ADDRESS = None
    assert scanning.scan_waiting() == 0
    assert state_of(sent) == "scanning"


def test_clamds_usual_limit_is_above_ours():
    assert attachments.LARGEST < LONGEST_STREAM


@pytest.fixture
def real_clamd(tmp_path):
    """Debian's package clamav-daemon, which need not be installed: with one signature of our own, and a limit of 1 MiB."""
    program = shutil.which("clamd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("there is no clamd (package clamav-daemon) to ask")
    (tmp_path / "eicar.ndb").write_text(f"Eicar-Test-Signature:0:*:{EICAR.hex()}\n")
    port = free_port()
    (tmp_path / "clamd.conf").write_text(
        f"TCPSocket {port}\nTCPAddr 127.0.0.1\nDatabaseDirectory {tmp_path}\nForeground yes\nStreamMaxLength 1M\n"
    )
    command = [program, "-c", str(tmp_path / "clamd.conf")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: answers(port), seconds=20)
    yield "127.0.0.1", port
    process.terminate()
    process.wait(timeout=20)


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def test_clamd_itself_understands_us(real_clamd):
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("prize.com", EICAR)
    for virus in (EICAR, archive.getvalue(), b"GIF89a" + bytes(50) + archive.getvalue()):
        found = clamav.scan(real_clamd, BytesIO(virus))
        assert found is not None
        assert found.startswith("Eicar-Test-Signature")
    assert clamav.scan(real_clamd, BytesIO(PNG)) is None
    with pytest.raises(clamav.ScannerAway):
        clamav.scan(real_clamd, BytesIO(PNG + bytes(2**20)))
