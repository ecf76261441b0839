"""Uploads by tus 1.0: what a client may rely on, and that nobody meets another's."""

from __future__ import annotations

import asyncio
import base64
import errno
import hashlib
import os
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from conftest import Client, Databases, Open, code
from frozen import Wire
from starlette.requests import ClientDisconnect
from world import Person, World

from stream_gateway.uploads import files, receiving

PATH = "/stream/v1/uploads/"
TUS = {"Tus-Resumable": "1.0.0"}
CHUNK = TUS | {"Content-Type": "application/offset+octet-stream"}
VIDEO = bytes(range(256)) * 4000  # a megabyte in which every place is another's


@pytest.fixture
def ines(world: World) -> Person:
    return world.person("ines", "courses.manage")


@pytest.fixture
def mara(world: World) -> Person:
    return world.person("mara", "courses.manage_all")


def named(name: str) -> dict[str, str]:
    return {"Upload-Metadata": f"filename {base64.b64encode(name.encode()).decode()}"}


async def begin(client: Client, person: Person, size: int = len(VIDEO), **headers: str) -> str:
    answer = await client.post(PATH, headers={**TUS, **person.bearer, "Upload-Length": str(size), **headers})
    assert answer.status_code == 201, answer.text
    location: str = answer.headers["location"]
    assert location.startswith(PATH)  # of this host, whatever X-Forwarded-Host says
    return location


async def send(client: Client, person: Person, at: str, offset: int, data: Any, **headers: str) -> httpx.Response:
    headers = {**CHUNK, **person.bearer, "Upload-Offset": str(offset), **headers}
    return await client.patch(at, content=data, headers=headers)


async def offset(client: Client, person: Person, at: str) -> int:
    answer = await client.head(at, headers=TUS | person.bearer)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return int(answer.headers["upload-offset"])


def kept(root: Path, at: str) -> bytes:
    return (root / "received" / at.rpartition("/")[2]).read_bytes()


def as_core(databases: Databases, statement: str, *values: Any) -> Any:
    with psycopg.connect(databases.url("core"), autocommit=True) as core:
        return core.execute(statement, values).fetchone()


def published(databases: Databases, at: str) -> Any:
    statement = "SELECT owner, size, finished_at IS NOT NULL FROM stream_published.upload WHERE id = %s"
    return as_core(databases, statement, at.rpartition("/")[2])


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


async def test_its_owner_ends_an_upload(client: Client, ines: Person, uploads_root: Path, databases: Databases) -> None:
    at = await begin(client, ines)
    await send(client, ines, at, 0, VIDEO)
    assert (await client.delete(at, headers=TUS | ines.bearer)).status_code == 204
    assert published(databases, at) is None
    assert not (uploads_root / "received" / at.rpartition("/")[2]).exists()
    assert code(await client.delete(at, headers=TUS | ines.bearer)) == (404, "not_found")


BAD_HEADERS: list[tuple[dict[str, str], tuple[int, str]]] = [
    ({"Upload-Length": "x"}, (400, "bad_upload_header")),
    ({"Upload-Length": "-1"}, (400, "bad_upload_header")),
    ({"Upload-Length": "9" * 30}, (400, "bad_upload_header")),
    ({"Upload-Defer-Length": "1", "Upload-Length": ""}, (400, "bad_upload_header")),
    ({"Upload-Metadata": "filename ###"}, (400, "bad_upload_header")),
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


async def test_nobody_takes_more_than_their_quota(open_gateway: Open, ines: Person, mara: Person) -> None:
    async with open_gateway(LECTERN_UPLOAD_QUOTA=0.001) as client:  # 1,073,741 bytes
        assert (await client.options(PATH)).headers["tus-max-size"] == "1073741"
        answers = await asyncio.gather(
            *(client.post(PATH, headers=TUS | ines.bearer | {"Upload-Length": "600000"}) for _ in range(4))
        )
        assert sorted(answer.status_code for answer in answers) == [201, 413, 413, 413]
        refused = next(answer for answer in answers if answer.status_code == 413)
        assert code(refused) == (413, "quota_exceeded")
        assert "473741 of your 1073741 are free" in refused.json()["detail"]
        await begin(client, mara, 600_000)
        await client.delete(
            next(a for a in answers if a.status_code == 201).headers["location"], headers=TUS | ines.bearer
        )
        await begin(client, ines, 1_000_000)


async def test_what_the_disk_could_not_hold_is_refused_at_once(
    open_gateway: Open, ines: Person, uploads_root: Path
) -> None:
    free = files.UploadFiles(uploads_root).free()
    async with open_gateway(LECTERN_UPLOAD_QUOTA=1_000_000) as client:
        refused = await client.post(PATH, headers=TUS | ines.bearer | {"Upload-Length": str(free // 2)})
        assert code(refused) == (507, "disk_full")
        at = await begin(client, ines, free // 4)  # a third fits, but not twice
        again = await client.post(PATH, headers=TUS | ines.bearer | {"Upload-Length": str(free // 4)})
        assert code(again) == (507, "disk_full")
        await client.delete(at, headers=TUS | ines.bearer)


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


async def test_what_nobody_goes_on_with_expires_and_leaves_no_litter(
    client: Client, ines: Person, uploads_root: Path, owner: Any, databases: Databases
) -> None:
    unfinished, whole, going_on = [await begin(client, ines) for _ in range(3)]
    await send(client, ines, unfinished, 0, VIDEO[:1000])
    await send(client, ines, whole, 0, VIDEO)
    numbers = [at.rpartition("/")[2] for at in (unfinished, whole)]
    owner.execute("UPDATE stream.upload SET expires_at = now() WHERE id = ANY (%s)", [[*map(uuid.UUID, numbers)]])
    assert (await client.head(unfinished, headers=TUS | ines.bearer)).status_code == 404  # before any sweep
    assert published(databases, whole) is None
    await client.gateway.uploads.sweep()
    assert not [number for number in numbers if (uploads_root / "received" / number).exists()]
    assert owner.execute(
        "SELECT count(*) FROM stream.upload WHERE id = ANY (%s)", [[*map(uuid.UUID, numbers)]]
    ).fetchone() == (0,)
    assert await offset(client, ines, going_on) == 0


async def test_files_that_nobody_knows_of_go_after_an_hour(client: Client, ines: Person, uploads_root: Path) -> None:
    at = await begin(client, ines)
    await send(client, ines, at, 0, VIDEO[:1000])
    folder = uploads_root / "received"
    old, young, foreign = folder / str(uuid.uuid4()), folder / str(uuid.uuid4()), folder / "README"
    for file in (old, young, foreign):
        file.write_bytes(b"x")
    for file in (old, foreign, folder / at.rpartition("/")[2]):
        os.utime(file, (1, 1))
    await client.gateway.uploads.sweep()
    assert [file.exists() for file in (old, young, foreign)] == [False, True, True]
    assert await offset(client, ines, at) == 1000
    young.unlink()
    foreign.unlink()


async def test_a_lesson_takes_a_finished_upload_once_and_its_file_stays(
    client: Client, ines: Person, mara: Person, uploads_root: Path, databases: Databases, owner: Any
) -> None:
    take = "SELECT stream_published.take_upload(%s, %s)"
    at = await begin(client, ines)
    number = uuid.UUID(at.rpartition("/")[2])
    assert as_core(databases, take, number, ines.id) == (False,)  # it is not whole
    await send(client, ines, at, 0, VIDEO)
    assert as_core(databases, take, number, mara.id) == (False,)
    assert as_core(databases, take, number, ines.id) == (True,)
    assert as_core(databases, take, number, ines.id) == (False,)
    assert (await client.head(at, headers=TUS | ines.bearer)).status_code == 404  # it is theirs no longer
    assert code(await client.delete(at, headers=TUS | ines.bearer)) == (404, "not_found")
    os.utime(uploads_root / "received" / str(number), (1, 1))
    await client.gateway.uploads.sweep()
    assert kept(uploads_root, at) == VIDEO
    assert owner.execute("SELECT expires_at FROM stream.upload WHERE id = %s", [number]).fetchone() == (None,)


async def test_an_erased_persons_uploads_go_and_their_words_with_them(
    client: Client, ines: Person, world: World, uploads_root: Path, databases: Databases, owner: Any
) -> None:
    from conftest import until

    taken, open_one = [await begin(client, ines, **named("My holiday.mp4")) for _ in range(2)]
    await send(client, ines, taken, 0, VIDEO)
    await send(client, ines, open_one, 0, VIDEO[:1000])
    number = taken.rpartition("/")[2]
    assert as_core(databases, "SELECT stream_published.take_upload(%s, %s)", number, ines.id) == (True,)
    world.erase(ines)
    gone = uploads_root / "received" / open_one.rpartition("/")[2]
    await until(lambda: not gone.exists(), 5)
    assert kept(uploads_root, taken) == VIDEO
    rows = owner.execute("SELECT id::text, metadata FROM stream.upload WHERE owner = %s", [ines.id]).fetchall()
    assert rows == [(number, "")]


async def test_an_upload_expires_so_long_after_its_last_chunk(open_gateway: Open, ines: Person) -> None:
    from datetime import UTC, datetime

    async with open_gateway(LECTERN_UPLOAD_EXPIRY=30, LECTERN_UPLOAD_KEEP=3) as client:
        at = await begin(client, ines)
        for data, begins, lasts in ((VIDEO[:1000], 0, timedelta(hours=30)), (VIDEO[1000:], 1000, timedelta(days=3))):
            answer = await send(client, ines, at, begins, data)
            left = parsedate_to_datetime(answer.headers["upload-expires"]) - datetime.now(UTC)
            assert timedelta(0) <= lasts - left < timedelta(minutes=1)
