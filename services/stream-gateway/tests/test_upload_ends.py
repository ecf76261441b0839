"""How much may be uploaded, for how long it stays, and who takes it."""

from __future__ import annotations

import asyncio
import os
import uuid
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from conftest import Client, Databases, Open, code, until
from uploading import PATH, TUS, VIDEO, as_core, begin, kept, named, offset, published, send
from world import Person, World

from stream_gateway.uploads import files


async def test_its_owner_ends_an_upload(client: Client, ines: Person, uploads_root: Path, databases: Databases) -> None:
    at = await begin(client, ines)
    await send(client, ines, at, 0, VIDEO)
    assert (await client.delete(at, headers=TUS | ines.bearer)).status_code == 204
    assert published(databases, at) is None
    assert not (uploads_root / "received" / at.rpartition("/")[2]).exists()
    assert code(await client.delete(at, headers=TUS | ines.bearer)) == (404, "not_found")


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
    async with open_gateway(LECTERN_UPLOAD_EXPIRY=30, LECTERN_UPLOAD_KEEP=3) as client:
        at = await begin(client, ines)
        for data, begins, lasts in ((VIDEO[:1000], 0, timedelta(hours=30)), (VIDEO[1000:], 1000, timedelta(days=3))):
            answer = await send(client, ines, at, begins, data)
            left = parsedate_to_datetime(answer.headers["upload-expires"]) - datetime.now(UTC)
            assert timedelta(0) <= lasts - left < timedelta(minutes=1)
