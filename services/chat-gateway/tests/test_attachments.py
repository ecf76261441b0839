"""Files of tickets: what is accepted, by whose word, who gets it, and what a message may name."""

from __future__ import annotations

import asyncio
import errno
import threading
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from typing import Any

import psycopg
import pytest
from django.conf import settings

from realtime import bodies
from tests.conftest import url
from tests.server import wait_for
from tickets import attachments, erasure, files
from tickets.errors import NoRoom
from tickets.models import Attachment

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
JPEG = b"\xff\xd8\xff\xe0" + bytes(20)
GIF = b"GIF89a" + bytes(20)
WEBP = b"RIFF\x10\0\0\0WEBPVP8 " + bytes(20)
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
TEXT = "text/plain; charset=utf-8"


def zipped(**content):
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return packed.getvalue()


ZIP = zipped(a="b")
PAGE = b"<!doctype html><script>alert(1)</script>"


def on_disk(attachment):
    return settings.ATTACHMENTS_ROOT / files.place(uuid.UUID(attachment["id"]))


def all_files():
    return {path for path in settings.ATTACHMENTS_ROOT.rglob("*") if path.is_file()}


def call_erasure():
    erasure.erase_pending(timedelta(0))


@pytest.mark.parametrize(
    ("content", "content_type", "name"),
    [
        (PNG, "image/png", "a.png"),
        (JPEG, "image/jpeg", "a.jpeg"),
        (GIF, "image/gif", "a.gif"),
        (WEBP, "image/webp", "a.webp"),
        (PDF, "application/pdf", "a.pdf"),
        (ZIP, "application/zip", "a.zip"),
        (ZIP, "application/zip", "a.docx"),
        ("Grüße,\r\n\t😀".encode(), TEXT, "a.txt"),
        (b"\xef\xbb\xbfa;b", TEXT, "a.csv"),
        ("ü".encode() * 70_000, TEXT, "a.log"),  # a letter lies across the border of two pieces
    ],
)
def test_a_file_is_what_its_bytes_say(upload, alice, ticket, content, content_type, name):
    sent = upload(alice, ticket, content, name)
    assert {key: sent[key] for key in ("name", "size", "content_type", "state")} == {
        "name": name,
        "size": len(content),
        "content_type": content_type,
        "state": "ready",
    }
    assert on_disk(sent).read_bytes() == content
    assert oct(on_disk(sent).stat().st_mode)[-3:] == "640"
    assert oct(on_disk(sent).parent.stat().st_mode)[-3:] == "750"


@pytest.mark.parametrize(
    ("content", "name", "content_type", "saved_as"),
    [
        (GIF + ZIP, "pic.jar", "image/gif", "pic.jar.gif"),  # GIFAR: Java would run the archive behind the picture
        (PNG + PAGE, "page.html", "image/png", "page.html.png"),
        (PDF + ZIP, "a.zip", "application/pdf", "a.zip.pdf"),
        (JPEG + PDF, "a.pdf", "image/jpeg", "a.pdf.jpg"),
        (ZIP, "tool.jar", "application/zip", "tool.jar.zip"),
        (PAGE, "page.html", TEXT, "page.html.txt"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "a.svg", TEXT, "a.svg.txt"),
        (b"MsgBox 1", "invoice.pdf.vbs", TEXT, "invoice.pdf.vbs.txt"),
        (PNG, "photo.exe", "image/png", "photo.exe.png"),
    ],
    ids=["gifar", "html-in-png", "zip-behind-pdf", "pdf-in-jpeg", "jar", "html", "svg", "script", "exe"],
)
def test_a_file_that_is_two_things_is_sent_as_what_it_begins_as(
    call, upload, alice, ticket, content, name, content_type, saved_as
):
    answer = call(alice, "GET", f"/attachments/{upload(alice, ticket, content, name)['id']}/")
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["Content-Disposition"] == f"attachment; filename=\"{saved_as}\"; filename*=UTF-8''{saved_as}"


@pytest.mark.parametrize(
    "content",
    [
        b"MZ\x90\0\x03" + bytes(60),
        b"\x7fELF" + bytes(60),
        b"text, and then\0",
        "Grüße".encode("latin-1"),
        "Grüße".encode("utf-16"),
        "ü".encode()[:1],
        b" " + PDF,
        b"RIFF\x10\0\0\0WAVEfmt ",
        b"GIF88a" + bytes(9),
    ],
    ids=["exe", "elf", "nul", "latin-1", "utf-16", "half-a-letter", "pdf-later", "wave", "no-gif"],
)
def test_whatever_else_is_refused(post_file, alice, ticket, content):
    before = all_files()
    answer = post_file(alice, ticket, content, "a.png")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert answer.json()["errors"]["file"] == [
        "Send a picture (PNG, JPEG, GIF, WebP), a PDF, a text in UTF-8 or a ZIP archive."
    ]
    assert all_files() == before


@pytest.mark.parametrize(
    ("name", "saved_as"),
    [
        ("../../etc/passwd", "passwd.txt"),
        ("..\\..\\boot.ini", "boot.ini.txt"),
        (".bashrc", "bashrc.txt"),
        ("a\r\nSet-Cookie: x.txt", "aSet-Cookie: x.txt"),
        ("cod\u202etxt.exe", "codtxt.exe.txt"),  # right-to-left: shown as codexe.txt
        ("Grüße & 100 %.txt", "Grüße & 100 %.txt"),
        ('a"b;c.txt', 'a"b;c.txt'),
        ("x" * 300 + ".txt", "x" * 146 + ".txt"),
        ("NOTE.TXT", "NOTE.TXT"),
        ("...", "file.txt"),
    ],
)
def test_names_are_cleaned(name, saved_as):
    from tickets.file_types import safe_name

    assert safe_name(name, TEXT) == saved_as


def test_odd_names_survive_the_header(call, upload, alice, ticket):
    sent = upload(alice, ticket, b"Hi", 'Grüße "100 %"; 東京.txt')
    assert call(alice, "GET", f"/attachments/{sent['id']}/").headers["Content-Disposition"] == (
        'attachment; filename="Grue _100 ___ .txt"'
        "; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%22100%20%25%22%3B%20%E6%9D%B1%E4%BA%AC.txt"
    )


@pytest.mark.parametrize("over", [0, 1])
def test_twenty_mebibytes_and_no_byte_more(post_file, alice, ticket, over):
    before = all_files()
    answer = post_file(alice, ticket, PNG + bytes(20 * 2**20 - len(PNG) + over), "a.png")
    if not over:
        assert (answer.status_code, answer.json()["size"]) == (201, 20 * 2**20)
        return
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer.json()["detail"] == "A file may have at most 20 MiB."
    assert all_files() == before


def test_an_empty_file_none_and_two_are_refused(call, post_file, alice, ticket):
    assert post_file(alice, ticket, b"").json()["errors"] == {"file": ["The file is empty."]}
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nHi\r\n'
    path = f"/chat/v1/tickets/{ticket['id']}/attachments/"

    def post(body, content_type="multipart/form-data; boundary=x"):
        from rest_framework.test import APIClient

        headers = {"authorization": f"Bearer {alice.token()}"}
        client = APIClient(raise_request_exception=False)
        return client.generic("POST", path, body, content_type=content_type, headers=headers)

    for body in (b"--x--\r\n", form + form + b"--x--\r\n", form):
        assert post(body).json()["errors"]["file"][0].startswith("Send one file")
    field = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
    for answer in (post(form, "multipart/form-data"), post(field * 1001 + form + b"--x--\r\n")):
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
        assert answer.json()["detail"] == "The body is not a multipart form that can be read."
    answer = post(b"{}", "application/json")
    assert (answer.status_code, answer.json()["detail"]) == (415, "Send the body as multipart/form-data.")


def test_a_closed_ticket_takes_no_file(call, post_file, alice, ticket):
    call(alice, "POST", f"/tickets/{ticket['id']}/close/")
    before = all_files()
    answer = post_file(alice, ticket)
    assert (answer.status_code, answer.json()["code"]) == (409, "ticket_closed")
    assert all_files() == before


def test_a_ticket_that_is_closed_while_a_file_comes_takes_none(post_file, alice, ticket):
    before = all_files()
    looking = psycopg.connect(url("chat"), autocommit=True)
    with looking, psycopg.connect(url("chat")) as closing, ThreadPoolExecutor() as thread:
        closing.execute("UPDATE chat.ticket SET state = 'closed', closed_at = now() WHERE id = %s", [ticket["id"]])
        answer = thread.submit(in_thread, post_file, alice, ticket)
        waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        wait_for(lambda: answer.done() or looking.execute(waiting).fetchone() is not None, seconds=10)
        closing.commit()
    assert (answer.result().status_code, answer.result().json()["code"]) == (409, "ticket_closed")
    assert all_files() == before


def test_a_person_has_a_quota_a_day_however_many_they_send_at_once(
    post_file, alice, world, call, category, monkeypatch
):
    monkeypatch.setattr(attachments, "DAILY_QUOTA", 250)
    opened = [
        call(alice, "POST", "/tickets/", {"category": category[1], "subject": "Help", "message": "Hi"}).json()
        for _ in range(4)
    ]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: in_thread(post_file, alice, opened[n % 4], b"x" * 100), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, *[413] * 6]
    refused = next(answer for answer in answers if answer.status_code == 413)
    assert refused.json()["code"] == "quota_exceeded"
    assert len([path for path in all_files() if path.read_bytes() == b"x" * 100]) == 2


def in_thread(work, *arguments):
    from django.db import connections

    try:
        return work(*arguments)
    finally:
        connections.close_all()


# --- who gets it


def test_the_other_side_gets_a_file_once_it_is_sent(call, upload, alice, bob, mallory, world, ticket):
    sent = upload(alice, ticket, PNG, "a.png")
    address = f"/attachments/{sent['id']}/"
    colleague = world.agent("carol", uuid.uuid4())
    assert [call(who, "GET", address).status_code for who in (alice, bob, mallory, colleague)] == [200, 404, 404, 404]
    assert call(bob, "GET", f"/tickets/{ticket['id']}/attachments/").json()["results"] == []
    assert call(alice, "GET", f"/tickets/{ticket['id']}/attachments/").json()["results"] == [sent]
    said = call(alice, "POST", f"/tickets/{ticket['id']}/messages/", {"message": "See", "attachment": sent["id"]})
    assert said.json()["attachment"] == sent
    assert [call(who, "GET", address).status_code for who in (alice, bob, mallory, colleague)] == [200, 200, 404, 404]
    assert call(bob, "GET", f"/tickets/{ticket['id']}/attachments/").json()["results"] == [sent]
    listed = call(bob, "GET", f"/tickets/{ticket['id']}/messages/").json()["results"]
    assert [message.get("attachment") for message in listed] == [None, sent]


def test_nginx_is_told_where_it_lies_and_that_it_is_private(call, upload, alice, ticket):
    sent = upload(alice, ticket, PNG, "a.png")
    answer = call(alice, "GET", f"/attachments/{sent['id']}/")
    assert answer.content == b""
    assert answer.headers["X-Accel-Redirect"] == f"/_attachments/{sent['id'][-2:]}/{sent['id']}"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert call(alice, "HEAD", f"/attachments/{sent['id']}/").status_code == 200
    refused = call(None, "GET", f"/attachments/{sent['id']}/")
    assert (refused.status_code, "X-Accel-Redirect" in refused.headers) == (401, False)


def test_whoever_wants_a_picture_may_say_so(upload, alice, ticket):
    from rest_framework.test import APIClient

    sent = upload(alice, ticket, PNG, "a.png")
    for accept in ("image/*", "image/png", "text/html"):
        headers = {"authorization": f"Bearer {alice.token()}", "accept": accept}
        assert APIClient().get(f"/chat/v1/attachments/{sent['id']}/", headers=headers).status_code == 200
        missing = APIClient().get(f"/chat/v1/attachments/{ticket['id']}/", headers=headers)
        assert (missing.status_code, missing.headers["Content-Type"]) == (404, "application/problem+json")


# --- what a message may name


def say(call, person, ticket, attachment, **more):
    body = {"message": "See", "attachment": str(attachment), **more}
    return call(person, "POST", f"/tickets/{ticket['id']}/messages/", body)


def refused(answer):
    return (answer.status_code, answer.json()["code"]) == (409, "attachment_not_ready")


def test_a_message_names_only_a_ready_one_of_its_own_ticket_and_sender(
    call, upload, alice, bob, world, category, ticket
):
    opened = call(alice, "POST", "/tickets/", {"category": category[1], "subject": "More", "message": "Hi"}).json()
    hers, others = upload(alice, ticket), upload(bob, ticket)
    waiting = upload(alice, ticket)
    Attachment.objects.filter(pk=waiting["id"]).update(state="scanning")
    rejected = upload(alice, ticket)
    Attachment.objects.filter(pk=rejected["id"]).update(state="rejected")
    for attachment in (uuid.uuid4(), others["id"], waiting["id"], rejected["id"]):
        assert refused(say(call, alice, ticket, attachment))
    assert refused(say(call, alice, opened, hers["id"]))
    assert say(call, alice, ticket, "nonsense").status_code == 422
    assert say(call, alice, ticket, hers["id"]).status_code == 201
    numbers = [each["seq"] for each in call(alice, "GET", f"/tickets/{ticket['id']}/messages/").json()["results"]]
    assert numbers == [1, 2]


def test_one_that_is_not_ready_is_not_handed_out(call, upload, alice, ticket):
    sent = upload(alice, ticket)
    for state in ("scanning", "rejected"):
        Attachment.objects.filter(pk=sent["id"]).update(state=state)
        assert refused(call(alice, "GET", f"/attachments/{sent['id']}/"))


def test_the_database_itself_refuses_what_the_rule_forbids(upload, call, alice, bob, ticket):
    sent = upload(bob, ticket)
    write = (
        "INSERT INTO chat.message (id, ticket_id, seq, sender_id, sender_username, body, created_at, attachment_id)"
        " VALUES (%s, %s, %s, %s, 'x', 'x', now(), %s)"
    )
    with psycopg.connect(url("chat"), autocommit=True) as connection:
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute(write, [uuid.uuid4(), ticket["id"], 99, alice.id, sent["id"]])
        assert say(call, bob, ticket, sent["id"]).status_code == 201
        for change in ("UPDATE chat.attachment SET state = 'rejected'", "DELETE FROM chat.attachment"):
            with pytest.raises(psycopg.errors.ForeignKeyViolation):
                connection.execute(f"{change} WHERE id = %s", [sent["id"]])


def test_a_message_with_a_file_that_is_sent_again_finds_the_first(call, upload, alice, ticket):
    sent = upload(alice, ticket)
    first, again = (say(call, alice, ticket, sent["id"], client_id="once") for _ in range(2))
    assert first.status_code == 201
    assert again.json() == first.json()
    assert refused(say(call, alice, ticket, sent["id"], client_id="twice"))


def test_a_file_is_sent_once_however_many_messages_name_it_at_once(call, upload, alice, ticket):
    sent, together = upload(alice, ticket), threading.Barrier(6)

    def name_it(number):
        together.wait()
        again = {"client_id": "once"} if number < 3 else {}
        return in_thread(lambda: say(call, alice, ticket, sent["id"], **again))

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(name_it, range(6)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses in ([201, *[409] * 5], [*[201] * 3, *[409] * 3])  # three of them are one message, sent again
    assert call(alice, "GET", f"/tickets/{ticket['id']}/").json()["head_seq"] == 2


class FullDisk(BytesIO):
    def write(self, piece: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_there_is_no_room_for_is_read_to_its_end_before_that_is_said():
    """Else the connection is reset under whoever still sends, and in some of a hundred cases nginx says 503 instead."""
    pieces = [{"type": "http.request", "body": b"x" * 100_000, "more_body": number < 9} for number in range(10)]

    async def receive() -> dict[str, Any]:
        return pieces.pop(0)

    with pytest.raises(NoRoom):
        asyncio.run(bodies._fill(FullDisk(), receive))
    assert pieces == []
