"""The real nginx, service and scanner: a file's whole way, and what is left of it where a part of that fails."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.db.models.functions import Now

from deploy.embedded import nginx
from deploy.embedded.postgres import free_port
from tests.clamd import EICAR, Clamd
from tests.server import ChatServer, wait_for
from tests.test_attachments import all_files, on_disk
from tickets import attachments
from tickets.models import Attachment

PICTURE = b"\x89PNG\r\n\x1a\n" + os.urandom(200_000)  # more than what is received in memory
NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


class Site:
    def __init__(self, home: Path) -> None:
        self.clamd = Clamd()
        self.server = ChatServer(CLAMAV_ADDRESS="{}:{}".format(*self.clamd.address)).start()
        self.server.environment["LECTERN_PORT_INTERNAL"] = self.server.address.rpartition(":")[
            2
        ]  # also when it is back
        self.url = f"http://127.0.0.1:{free_port()}"
        (home / "static-site").mkdir()
        places = dict.fromkeys(("LECTERN_CORE_UPSTREAM", "LECTERN_STREAM_UPSTREAM"), "127.0.0.1:9")
        places |= {"LECTERN_CHAT_UPSTREAM": self.server.address, "LECTERN_LISTEN": self.url.removeprefix("http://")}
        places |= {"LECTERN_ATTACHMENTS_ROOT": str(settings.ATTACHMENTS_ROOT), "LECTERN_PUBLIC_URL": self.url}
        places |= {"LECTERN_MEDIA_ROOT": str(home / "media"), "LECTERN_STATIC_ROOT": str(home / "static")}
        places |= {"LECTERN_RESOLVER": "127.0.0.1", "LECTERN_TRUSTED_PROXIES": "", "LECTERN_ALLOWED_ORIGINS": ""}
        nginx.render(home, places)
        with (home / "log").open("wb") as log:
            command = nginx.command(nginx.find_program())
            self.nginx = subprocess.Popen(command, cwd=home, stdout=log, stderr=log)
        wait_for(lambda: self._answers(), lambda: (home / "log").read_text())

    def _answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/healthz").status_code == 200
        return False

    def ask(self, person: Any, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {person.token()}"} | more.pop("headers", {})
        return httpx.request(method, f"{self.url}/chat/v1{path}", headers=headers, timeout=30, **more)

    def upload(self, person: Any, ticket: Any, content: bytes, name: str = "a.png") -> httpx.Response:
        return self.ask(person, "POST", f"/tickets/{ticket['id']}/attachments/", files={"file": (name, content)})

    def state(self, attachment: Any) -> str:
        return str(Attachment.objects.get(pk=attachment["id"]).state)

    def stop(self) -> None:
        self.nginx.terminate()
        self.nginx.wait(timeout=10)
        self.clamd.stop()
        self.server.stop()


@pytest.fixture(scope="module")
def site(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    running = Site(tmp_path_factory.mktemp("nginx"))
    yield running
    running.stop()


def test_a_file_goes_from_a_learner_to_the_agent(site, alice, bob, mallory, ticket):
    sent = site.upload(alice, ticket, PICTURE, "Grüße & 100 %.png").json()
    assert sent["state"] == "scanning"
    wait_for(lambda: site.state(sent) == "ready", seconds=10)
    said = site.ask(
        alice, "POST", f"/tickets/{ticket['id']}/messages/", json={"message": "See", "attachment": sent["id"]}
    )
    address = f"/attachments/{said.json()['attachment']['id']}/"
    got = site.ask(bob, "GET", address)
    assert (got.status_code, got.content, got.headers["Content-Type"]) == (200, PICTURE, "image/png")
    assert got.headers["Content-Disposition"].endswith("filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%26%20100%20%25.png")
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in got.headers["Content-Security-Policy"]
    assert got.headers["Cache-Control"] == "private, no-cache"
    assert not [header for header in got.headers if header.startswith("x-accel")]
    part = site.ask(bob, "GET", address, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, PICTURE[100:200])
    same = site.ask(bob, "GET", address, headers={"If-None-Match": got.headers["ETag"]})
    assert same.status_code == 304
    head = site.ask(bob, "HEAD", address)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(PICTURE)))
    assert site.ask(mallory, "GET", address).json()["code"] == "not_found"


def test_a_virus_reaches_nobody(site, alice, ticket):
    sent = site.upload(alice, ticket, EICAR, "prize.txt").json()
    wait_for(lambda: site.state(sent) == "rejected", seconds=10)
    wait_for(lambda: not on_disk(sent).exists(), seconds=5)
    refused = site.ask(alice, "GET", f"/attachments/{sent['id']}/")
    assert (refused.status_code, refused.json()["code"]) == (409, "attachment_not_ready")


def test_what_is_too_large_is_told_by_a_sentence_on_each_side_of_nginxs_limit(site, alice, ticket):
    by_service = site.upload(alice, ticket, bytes(20 * 2**20 + 1))
    assert (by_service.status_code, by_service.json()["detail"]) == (413, "A file may have at most 20 MiB.")
    by_nginx = site.upload(alice, ticket, bytes(21 * 2**20))
    assert (by_nginx.status_code, by_nginx.json()["code"]) == (413, "too_large")


def test_the_service_ends_a_body_by_itself(site):
    """Without nginx, and without a length that is said beforehand."""
    host, port = site.server.address.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        path = "/chat/v1/tickets/"
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        with contextlib.suppress(OSError):  # it hangs up in the middle
            for _ in range(22):
                connection.sendall(b"100000\r\n" + bytes(2**20) + b"\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_full_disk_is_a_507_and_leaves_nothing(site, alice, ticket):
    before = all_files(), Attachment.objects.count()
    room = site.server.log.stat().st_size + 100_000  # the log is a file as well
    resource.prlimit(site.server.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        refused = site.upload(alice, ticket, PICTURE + bytes(room))
    finally:
        resource.prlimit(site.server.pid, resource.RLIMIT_FSIZE, NO_LIMIT)
    assert (refused.status_code, refused.json()["code"]) == (507, "disk_full")
    assert (all_files(), Attachment.objects.count()) == before
    assert site.upload(alice, ticket, PICTURE).status_code == 201


def test_a_killed_service_leaves_nothing_half_received_and_scans_what_it_was_scanning(site, alice, ticket):
    site.clamd.lets_go.clear()
    seen = len(site.clamd.seen)
    sent = site.upload(alice, ticket, PICTURE).json()
    wait_for(lambda: len(site.clamd.seen) > seen, seconds=10)
    before = all_files()
    host, port = site.server.address.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        asked = (
            f"POST /chat/v1/tickets/{ticket['id']}/attachments/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n"
        )
        connection.sendall(asked.encode() + bytes(5_000_000))
        wait_for(lambda: is_received_beside_the_attachments(site.server.pid), seconds=10)
        site.server.stop(9)
    assert all_files() == before
    assert site.state(sent) == "scanning"
    Attachment.objects.filter(pk=sent["id"]).update(scan_at=Now())  # two minutes later
    site.clamd.lets_go.set()
    site.server.start()
    wait_for(lambda: site.state(sent) == "ready", seconds=10)


def is_received_beside_the_attachments(pid: int) -> bool:
    """A file without a name: not in a /tmp that may be memory, and gone with its process."""
    opened = [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()]
    return any(each.startswith(str(settings.ATTACHMENTS_ROOT)) and each.endswith("(deleted)") for each in opened)


def test_a_service_killed_between_file_and_row_leaves_a_file_that_goes(world, alice, ticket, upload):
    upload(alice, ticket)
    before = all_files()
    dies = "import os; from tickets import attachments; attachments._check_quota = lambda *_: os.kill(os.getpid(), 9)"
    server = ChatServer(dies).start()
    with pytest.raises(httpx.TransportError):
        httpx.post(
            f"{server.url}/chat/v1/tickets/{ticket['id']}/attachments/",
            files={"file": ("a.png", PICTURE)},
            headers={"Authorization": f"Bearer {alice.token()}"},
        )
    server.stop(9)
    assert len(all_files() - before) == 1
    assert not Attachment.objects.filter(size=len(PICTURE), ticket_id=ticket["id"]).exists()
    attachments.clean_up(left_after=-1)
    assert not all_files() - before
