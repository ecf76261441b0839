"""Uploads by tus 1.0: what a client may rely on, and that nobody meets another's."""

from __future__ import annotations

import asyncio
import base64
import errno
import hashlib
import os
import re
import threading
import uuid
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import Client, Databases, Open, code, until
from frozen import Wire
from starlette.requests import ClientDisconnect
from uploading import CHUNK, PATH, TUS, VIDEO, begin, kept, named, offset, published, send
from world import Person, World

from stream_gateway.problems import Problem
from stream_gateway.uploads import files, protocol, receiving


async def test_a_file_comes_in_chunks_and_is_published_when_it_is_whole(
    client: Client, ines: Person, uploads_root: Path, databases: Databases
) -> None:
    at = await begin(client, ines, **named("Lesson 1.mp4"))
    for start in range(0, len(VIDEO), 400_000):
        assert published(databases, at) == (ines.id, len(VIDEO), False)
        answer = await send(client, ines, at, start, VIDEO[start : start + 400_000])
        assert (answer.status_code, answer.headers["tus-resumable"]) == (204, "1.0.0")
        assert answer.headers["upload-offset"] == str(min(start + 400_000, len(VIDEO)))
    assert kept(uploads_root, at) == VIDEO
    assert published(databases, at) == (ines.id, len(VIDEO), True)
    answer = await client.head(at, headers=TUS | ines.bearer)
    assert answer.headers["upload-length"] == str(len(VIDEO))
    assert answer.headers["upload-metadata"] == named("Lesson 1.mp4")["Upload-Metadata"]
    assert parsedate_to_datetime(answer.headers["upload-expires"])


async def test_only_those_who_make_courses_upload(client: Client, alice: Person, ines: Person, world: World) -> None:
    headers = TUS | {"Upload-Length": "10"}
    assert code(await client.post(PATH, headers=headers)) == (401, "not_authenticated")
    assert code(await client.post(PATH, headers=headers | alice.bearer)) == (403, "permission_denied")
    at = await begin(client, ines)
    world.take_permissions(ines)
    assert code(await send(client, ines, at, 0, b"x")) == (403, "permission_denied")
    world.deactivate(ines)
    assert code(await send(client, ines, at, 0, b"x")) == (401, "token_invalid")


async def test_nobody_sees_continues_or_ends_anothers(
    client: Client, ines: Person, mara: Person, uploads_root: Path
) -> None:
    at = await begin(client, ines)
    await send(client, ines, at, 0, VIDEO[:1000])
    none = f"{PATH}{uuid.uuid4()}"
    for target in (at, none, f"{PATH}../{at}", f"{PATH}a"):
        assert (await client.head(target, headers=TUS | mara.bearer)).status_code == 404
        assert code(await send(client, mara, target, 1000, b"x")) == (404, "not_found")
        assert code(await client.delete(target, headers=TUS | mara.bearer)) == (404, "not_found")
    assert not (uploads_root / "received" / none.rpartition("/")[2]).exists()
    assert await offset(client, ines, at) == 1000


async def test_two_chunks_at_once_never_mix(client: Client, ines: Person, uploads_root: Path) -> None:
    at = await begin(client, ines)
    chunks = [bytes([number]) * 300_000 for number in range(6)]
    answers = await asyncio.gather(*(send(client, ines, at, 0, chunk) for chunk in chunks))
    assert sorted(answer.status_code for answer in answers) == [204, 409, 409, 409, 409, 409]
    winner = next(index for index, answer in enumerate(answers) if answer.status_code == 204)
    assert kept(uploads_root, at) == chunks[winner]


async def test_while_one_request_sends_another_is_told_to_wait(
    client: Client, ines: Person, monkeypatch: pytest.MonkeyPatch, uploads_root: Path
) -> None:
    monkeypatch.setattr(files, "PATIENCE", 0.1)
    at = await begin(client, ines)
    sent, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield VIDEO[:300_000]
        sent.set()
        await go_on.wait()
        yield VIDEO[300_000:]

    slow = asyncio.create_task(send(client, ines, at, 0, slowly()))
    await sent.wait()
    refused = await send(client, ines, at, 0, b"other")
    assert code(refused) == (423, "upload_busy")
    assert refused.headers["retry-after"] == "2"
    assert code(await client.delete(at, headers=TUS | ines.bearer)) == (423, "upload_busy")
    go_on.set()
    assert (await slow).status_code == 204
    assert kept(uploads_root, at) == VIDEO


async def test_what_came_before_a_cut_counts(client: Client, ines: Person, uploads_root: Path) -> None:
    at = await begin(client, ines)

    async def cut() -> AsyncIterator[bytes]:
        yield VIDEO[:300_000]
        yield VIDEO[300_000:300_017]
        raise ClientDisconnect

    await send(client, ines, at, 0, cut())
    assert await offset(client, ines, at) == 300_017
    assert (await send(client, ines, at, 300_017, VIDEO[300_017:])).status_code == 204
    assert kept(uploads_root, at) == VIDEO


async def test_somebody_who_falls_silent_lets_go_of_the_upload(
    client: Client, ines: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "SILENCE", 0.1)
    at = await begin(client, ines)

    async def silent() -> AsyncIterator[bytes]:
        yield VIDEO[:1000]
        await asyncio.sleep(3600)

    assert code(await send(client, ines, at, 0, silent())) == (503, "unavailable")
    assert await offset(client, ines, at) == 1000


async def test_who_can_send_nothing_but_post_says_which_method_is_meant(
    client: Client, ines: Person, uploads_root: Path
) -> None:
    """Some proxies let no PATCH and no DELETE through; tus 1.0 has a header for that."""
    at, headers = await begin(client, ines), CHUNK | ines.bearer

    async def post(method: str, content: bytes = b"", **more: str) -> tuple[int, str | None]:
        answer = await client.post(at, headers=headers | {"X-HTTP-Method-Override": method} | more, content=content)
        return answer.status_code, answer.headers.get("upload-offset")

    assert await post("PATCH", VIDEO[:1000], **{"Upload-Offset": "0"}) == (204, "1000")
    assert await post("HEAD") == (200, "1000")
    assert kept(uploads_root, at) == VIDEO[:1000]
    assert await post("POST") == await post("GET") == await post("made up") == (405, None)
    assert code(await client.get(at, headers=headers | {"X-HTTP-Method-Override": "DELETE"})) == (
        405,
        "method_not_allowed",
    )
    assert await post("DELETE") == (204, None)
    assert await post("HEAD") == (404, None)


async def test_another_offset_is_refused_with_the_right_one(client: Client, ines: Person) -> None:
    at = await begin(client, ines)
    await send(client, ines, at, 0, VIDEO[:1000])
    for wrong in (0, 999, 1001):
        answer = await send(client, ines, at, wrong, b"x")
        assert code(answer) == (409, "offset_conflict")
        assert answer.headers["upload-offset"] == "1000"


async def test_a_checksum_that_differs_discards_the_chunk(client: Client, ines: Person, uploads_root: Path) -> None:
    at = await begin(client, ines)
    for name in ("sha1", "sha256", "sha512"):
        good = base64.b64encode(hashlib.new(name, VIDEO[:500_000]).digest()).decode()
        refused = await send(client, ines, at, 0, VIDEO[:499_999] + b"?", **{"Upload-Checksum": f"{name} {good}"})
        assert code(refused) == (460, "checksum_mismatch")
        assert await offset(client, ines, at) == 0
    assert (
        await send(client, ines, at, 0, VIDEO[:500_000], **{"Upload-Checksum": f"sha512 {good}"})
    ).status_code == 204
    assert kept(uploads_root, at) == VIDEO[:500_000]


async def test_what_came_before_a_cut_counts_also_after_a_checksum_that_differed(client: Client, ines: Person) -> None:
    """Only the chunk that had the checksum is doubtful, not what comes after it."""
    at = await begin(client, ines)
    other = base64.b64encode(hashlib.sha1(b"something else").digest()).decode()  # noqa: S324  tus's own
    assert (await send(client, ines, at, 0, VIDEO[:1000], **{"Upload-Checksum": f"sha1 {other}"})).status_code == 460

    async def cut() -> AsyncIterator[bytes]:
        yield VIDEO[:600_000]
        raise ClientDisconnect

    await send(client, ines, at, 0, cut())
    assert await offset(client, ines, at) == 600_000


async def test_bytes_whose_checksum_was_never_compared_do_not_count(
    client: Client, ines: Person, uploads_root: Path, owner: Any
) -> None:
    """A process that was killed left the bytes, and the note of where they begin."""
    at = await begin(client, ines)
    await send(client, ines, at, 0, VIDEO[:1000])
    number = at.rpartition("/")[2]
    owner.execute("UPDATE stream.upload SET unverified_from = 1000 WHERE id = %s", [number])
    with (uploads_root / "received" / number).open("ab") as file:
        file.write(b"unverified")
    assert await offset(client, ines, at) == 1000
    assert (await send(client, ines, at, 1000, VIDEO[1000:])).status_code == 204
    assert kept(uploads_root, at) == VIDEO


async def test_a_first_chunk_may_come_with_the_creation(client: Client, ines: Person, uploads_root: Path) -> None:
    headers = {**CHUNK, **ines.bearer, "Upload-Length": str(len(VIDEO))}
    answer = await client.post(PATH, headers=headers, content=VIDEO[:1000])
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "1000")
    assert kept(uploads_root, answer.headers["location"]) == VIDEO[:1000]


async def test_an_empty_file_is_whole_at_once(client: Client, ines: Person, databases: Databases) -> None:
    at = await begin(client, ines, 0)
    assert published(databases, at) == (ines.id, 0, True)
    assert await offset(client, ines, at) == 0


@pytest.mark.parametrize(
    ("metadata", "good"),
    [
        ("", True),
        ("private", True),
        ("filename TGVzc29uIDEubXA0,filetype dmlkZW8vbXA0,private", True),
        ("one YQ==,two YWI=", True),
        ("+\t#G|@7/fSJ", False),
        ("filename YQ", False),
        ("filename YQ==,", False),
        ("é YQ==", False),
        ("k" * 61, False),
    ],
)
def test_the_api_document_tells_which_metadata_is_taken(metadata: str, good: bool) -> None:
    assert bool(re.search(protocol.METADATA, metadata)) == good
    try:
        taken = protocol.metadata({"upload-metadata": metadata}) == metadata
    except Problem:
        taken = False
    assert taken == good


BAD_HEADERS: list[tuple[dict[str, str], tuple[int, str]]] = [
    ({"Upload-Length": "x"}, (400, "bad_upload_header")),
    ({"Upload-Length": "-1"}, (400, "bad_upload_header")),
    ({"Upload-Length": "9" * 30}, (400, "bad_upload_header")),
    ({"Upload-Defer-Length": "1", "Upload-Length": ""}, (400, "bad_upload_header")),
    ({"Upload-Metadata": "filename ###"}, (400, "bad_upload_header")),
    ({"Upload-Metadata": "a\tYQ=="}, (400, "bad_upload_header")),
    ({"Upload-Metadata": "a YQ==,a YQ=="}, (400, "bad_upload_header")),
    ({"Upload-Metadata": "a " + "YWFh" * 600}, (400, "bad_upload_header")),
    ({"Upload-Checksum": "md5 YQ=="}, (400, "bad_upload_header")),
    ({"Upload-Checksum": "sha1 YQ=="}, (400, "bad_upload_header")),
    ({"Content-Length": str(65 * 1024**2)}, (413, "too_large")),
    ({"Content-Type": "video/mp4", "Content-Length": "5"}, (415, "not_a_chunk")),
    ({"Tus-Resumable": "0.2.2"}, (412, "tus_version")),
    ({"Tus-Resumable": ""}, (412, "tus_version")),
]


@pytest.mark.parametrize(("headers", "expected"), BAD_HEADERS, ids=[str(headers)[:40] for headers, _ in BAD_HEADERS])
async def test_headers_that_are_none_are_refused(
    client: Client, ines: Person, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    answer = await client.post(PATH, headers={**TUS, **ines.bearer, "Upload-Length": "1", **headers})
    assert code(answer) == expected
    assert answer.headers["tus-resumable"] == "1.0.0"


async def test_chunks_that_are_none_are_refused(client: Client, ines: Person) -> None:
    at = await begin(client, ines, 10)
    assert code(await send(client, ines, at, 0, b"x", **{"Content-Type": "video/mp4"})) == (415, "not_a_chunk")
    assert code(await send(client, ines, at, 0, b"x", **{"Upload-Offset": "one"})) == (400, "bad_upload_header")
    assert code(await send(client, ines, at, 0, b"x" * 11)) == (413, "too_large")
    answer = await client.options(PATH)
    assert (answer.status_code, answer.headers["tus-version"]) == (204, "1.0.0")
    assert "expiration" in answer.headers["tus-extension"]


async def test_a_disk_that_fills_up_keeps_what_came(
    client: Client, ines: Person, monkeypatch: pytest.MonkeyPatch, uploads_root: Path
) -> None:
    at = await begin(client, ines)
    real = os.pwrite

    def nearly_full(descriptor: int, data: Any, place: int) -> int:
        if place + len(data) <= 600_000:
            return real(descriptor, data, place)
        if place < 600_000:
            return real(descriptor, bytes(data)[: 600_000 - place], place)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(receiving.os, "pwrite", nearly_full)
        assert code(await send(client, ines, at, 0, VIDEO)) == (507, "disk_full")
    assert await offset(client, ines, at) == 600_000
    assert (await send(client, ines, at, 600_000, VIDEO[600_000:])).status_code == 204
    assert kept(uploads_root, at) == VIDEO


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_disk_that_takes_no_file_or_tells_it_last_is_full_as_well(
    client: Client, ines: Person, monkeypatch: pytest.MonkeyPatch, uploads_root: Path, at_once: bool
) -> None:
    """No file can be begun (no inode, a quota), or a file server says only at the end that what it took had no room."""
    at = await begin(client, ines)
    assert (await send(client, ines, at, 0, VIDEO[:1000])).status_code == 204

    def full(*_: Any) -> int:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with monkeypatch.context() as patched:
        patched.setattr(*((files.os, "open") if at_once else (receiving.os, "fdatasync")), full)
        assert code(await send(client, ines, at, 1000, VIDEO[1000:])) == (507, "disk_full")
    assert await offset(client, ines, at) == 1000
    assert (await send(client, ines, at, 1000, VIDEO[1000:])).status_code == 204
    assert kept(uploads_root, at) == VIDEO


async def test_a_disk_that_hangs_under_uploads_keeps_no_viewer_waiting(
    client: Client, ines: Person, mara: Person, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice as many are stuck as asyncio has threads for everybody."""
    lesson, hanging, released = world.lesson(), threading.Semaphore(0), threading.Event()
    world.enrol(mara, lesson)

    def hang(_: int) -> None:
        hanging.release()
        released.wait(20)

    with monkeypatch.context() as patched:
        patched.setattr(receiving.os, "fdatasync", hang)
        places = [await begin(client, ines, 10) for _ in range(2 * min(32, (os.cpu_count() or 1) + 4))]
        sending = [asyncio.create_task(send(client, ines, at, 0, VIDEO[:10])) for at in places]
        await until(lambda: hanging.acquire(blocking=False))
        try:
            async with asyncio.timeout(10):
                answer = await client.get(f"/stream/v1/lessons/{lesson.id}/video", headers=mara.bearer)
            assert answer.status_code == 200
        finally:
            released.set()
        assert {answer.status_code for answer in await asyncio.gather(*sending)} == {204}


async def test_without_the_database_nothing_is_taken_and_nothing_is_lost(
    open_gateway: Open, ines: Person, databases: Databases, uploads_root: Path
) -> None:
    async with Wire(databases.url("stream")).running() as wire, open_gateway(DATABASE_URL=wire.address) as client:
        at = await begin(client, ines)

        async def losing_the_database() -> AsyncIterator[bytes]:
            yield VIDEO[:500_000]
            wire.cut()
            yield VIDEO[500_000:]

        assert code(await send(client, ines, at, 0, losing_the_database())) == (503, "unavailable")
        assert code(await client.post(PATH, headers=TUS | ines.bearer | {"Upload-Length": "1"})) == (503, "unavailable")
        assert published(databases, at) == (ines.id, len(VIDEO), False)
        wire.mend()
        assert await offset(client, ines, at) == len(VIDEO)  # which makes it finished
        assert published(databases, at) == (ines.id, len(VIDEO), True)
        assert kept(uploads_root, at) == VIDEO


async def test_a_web_app_of_an_allowed_origin_uploads_too(open_gateway: Open, ines: Person) -> None:
    origin = {"Origin": "https://app.example.org"}
    async with open_gateway(LECTERN_ALLOWED_ORIGINS="https://app.example.org") as client:
        asked = {
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "tus-resumable,upload-offset,x-http-method-override",
        }
        assert (await client.options(PATH, headers=origin | asked)).status_code == 200
        assert (await client.options("/stream/v1/playback", headers=origin | asked)).status_code == 400
        answer = await client.post(PATH, headers=TUS | ines.bearer | origin | {"Upload-Length": "1"})
        assert "Location" in answer.headers["access-control-expose-headers"]
