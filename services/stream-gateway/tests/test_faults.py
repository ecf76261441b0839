"""The database, the keys or core-api's views are away: 503, soon, and never "yes"."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from conftest import Client, Databases, Open, code, until
from contract.vectors import BAD, SigningKeys
from frozen import Wire
from world import Lesson, Person

from stream_gateway.migrate import migrate


@pytest.fixture
async def wire(databases: Databases) -> AsyncIterator[Wire]:
    async with Wire(databases.url("stream")).running() as running:
        yield running


async def test_a_database_that_is_away(open_gateway: Open, wire: Wire, alice: Person, lesson: Lesson) -> None:
    async with open_gateway(DATABASE_URL=wire.address) as client:
        address = (await client.start(alice, lesson))["manifest_url"]
        assert (await client.get(address)).status_code == 200
        assert (await client.get("/readyz")).status_code == 200
        wire.cut()
        await until(lambda: not client.gateway.listener.live)
        for answer in await asyncio.gather(
            client.get(address),
            client.post_playback(lesson, alice),
            client.get(f"/stream/v1/lessons/{lesson.id}/video", headers=alice.bearer),
            client.delete(address.rpartition("/")[0]),
            client.get("/readyz"),
        ):
            assert code(answer) == (503, "unavailable")
            assert answer.headers["retry-after"] == "2"
        assert (await client.get("/healthz")).status_code == 200
        wire.mend()
        await until(lambda: client.gateway.listener.live)
        assert await recovered(client, address)


async def test_a_database_that_went_silent(open_gateway: Open, wire: Wire, alice: Person, lesson: Lesson) -> None:
    """Connections stay open and nothing answers: every request has its answer within a few seconds all the same."""
    async with open_gateway(DATABASE_URL=wire.address) as client:
        address = (await client.start(alice, lesson))["manifest_url"]
        assert (await client.get(address)).status_code == 200
        wire.freeze()
        await until(lambda: not client.gateway.listener.live, seconds=1.5)
        began = time.monotonic()
        assert code(await client.get(address)) == (503, "unavailable")
        assert time.monotonic() - began < 4
        wire.cut()
        wire.thaw()
        wire.mend()
        assert await recovered(client, address)


async def test_an_answer_that_never_comes(
    open_gateway: Open, wire: Wire, alice: Person, lesson: Lesson, owner: Any, databases: Databases
) -> None:
    """The connection was good when it was taken, and the statement is on its way: silence begins in the middle."""
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%AS verdict%%'"
    async with open_gateway(DATABASE_URL=wire.address) as client:
        address = (await client.start(alice, lesson))["manifest_url"]
        with databases.superuser() as superuser, owner.transaction():
            owner.execute("LOCK TABLE stream.playback_session")
            asking = asyncio.create_task(client.get(address))
            await until(lambda: superuser.execute(waiting).fetchone() is not None, seconds=2)
            wire.freeze()
        async with asyncio.timeout(5):
            assert code(await asking) == (503, "unavailable")
        wire.cut()
        wire.thaw()


async def test_a_restarted_database_costs_nobody_an_answer(
    client: Client, databases: Databases, alice: Person, lesson: Lesson
) -> None:
    address = (await client.start(alice, lesson))["manifest_url"]
    with databases.superuser() as superuser:
        superuser.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'lectern_stream'")
    assert (await client.get(address)).status_code == 200


async def test_it_starts_while_the_database_is_away(
    open_gateway: Open, wire: Wire, alice: Person, lesson: Lesson
) -> None:
    wire.cut()
    async with open_gateway(DATABASE_URL=wire.address, listening=False) as client:
        answer = await client.get("/readyz")
        assert code(answer) == (503, "unavailable")
        assert {"database", "listener"} <= set(answer.json()["errors"])
        wire.mend()
        await until(lambda: client.gateway.listener.live and client.gateway.verifier.ready)
        assert (await client.get("/readyz")).json() == {"database": "ok", "keys": "ok", "listener": "ok"}
        await client.start(alice, lesson)


async def test_views_that_are_not_there_yet(
    open_gateway: Open, databases: Databases, alice: Person, lesson: Lesson
) -> None:
    name = databases.make(published=False)
    migrate(databases.url("stream_owner", name))
    async with open_gateway(DATABASE_URL=databases.url("stream", name)) as client:
        assert code(await client.post_playback(lesson, alice)) == (503, "unavailable")
        address = f"/stream/v1/p/{lesson.id}/master.m3u8"
        assert code(await client.get(address, headers=alice.bearer)) == (503, "unavailable")
        assert "published.principal" in (await client.get("/readyz")).json()["errors"]["database"][0]


async def test_before_its_own_migration(
    open_gateway: Open, databases: Databases, alice: Person, lesson: Lesson
) -> None:
    name = databases.make()
    async with open_gateway(DATABASE_URL=databases.url("stream", name)) as client:
        address = f"/stream/v1/p/{lesson.id}/master.m3u8"
        assert code(await client.get(address, headers=alice.bearer)) == (503, "unavailable")
        assert "playback_session" in (await client.get("/readyz")).json()["errors"]["database"][0]


async def test_keys_that_were_never_fetched(client: Client, alice: Person, lesson: Lesson, keys: SigningKeys) -> None:
    started = await client.start(alice, lesson)
    client.gateway.verifier._trust([])
    client.gateway.verifier._fetch = away
    assert code(await client.post_playback(lesson, alice)) == (503, "unavailable")
    assert code(await client.get("/readyz")) == (503, "unavailable")
    assert (await client.get(started["manifest_url"], headers=alice.bearer)).status_code == 200  # by its cookie


def away(_url: str) -> str:
    raise OSError("connection refused")


async def test_bad_tokens_are_refused_everywhere(client: Client, keys: SigningKeys, lesson: Lesson) -> None:
    for name, forge in BAD.items():
        headers: Any = {"Authorization": f"Bearer {forge(keys)}".encode()}
        for method, address in (
            ("POST", "/stream/v1/playback"),
            ("GET", f"/stream/v1/p/{lesson.id}/master.m3u8"),
            ("DELETE", f"/stream/v1/p/{lesson.id}"),
            ("GET", f"/stream/v1/lessons/{lesson.id}/video"),
        ):
            answer = await client.request(method, address, headers=headers, json={"lesson": str(lesson.id)})
            assert code(answer) == (401, "token_invalid"), name
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_another_scheme_is_not_a_token(client: Client, lesson: Lesson) -> None:
    answer = await client.post(
        "/stream/v1/playback", json={"lesson": str(lesson.id)}, headers={"Authorization": "Basic YWxpY2U6c2VjcmV0"}
    )
    assert code(answer) == (401, "not_authenticated")


async def recovered(client: Client, address: str) -> bool:
    """A reconnecting pool may need one more try."""
    for _ in range(5):
        if (await client.get(address)).status_code == 200:
            return True
    return False
