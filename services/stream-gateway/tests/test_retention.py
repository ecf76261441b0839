"""Who watched what from where is kept for a while, with how long they watched, and then forgotten."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from conftest import Client, Open, until
from world import Lesson, Person

from stream_gateway import retention
from stream_gateway.retention import forget_old


def began(owner: Any, started: dict[str, Any], days_ago: float) -> UUID:
    """Moves a session into the past, id and all."""
    at = datetime.now(UTC) - timedelta(days=days_ago)
    moved = UUID(int=int(at.timestamp() * 1000) << 80 | UUID(started["playback"]).int & (1 << 80) - 1)
    owner.execute(
        "UPDATE stream.playback_session SET id = %s, started_at = %s, over_at = %s + interval '9 hours',"
        " expires_at = %s + interval '12 hours' WHERE id = %s",
        [moved, at, at, at, started["playback"]],
    )
    return moved


def kept(owner: Any, *ids: UUID) -> list[bool]:
    rows = owner.execute("SELECT id FROM stream.playback_session WHERE id = ANY (%s)", [list(ids)]).fetchall()
    return [(each,) in rows for each in ids]


async def test_a_session_is_forgotten_when_it_is_too_old(
    client: Client, alice: Person, lesson: Lesson, owner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    older = [began(owner, await client.start(alice, lesson), 90.1) for _ in range(5)]
    newer = began(owner, await client.start(alice, lesson), 89.9)
    running = UUID((await client.start(alice, lesson))["playback"])
    counts = await asyncio.gather(*(forget_old(client.gateway.database, 90) for _ in range(3)))  # several workers
    assert sum(counts) <= 5  # each once; the gateway's own job may have taken some
    assert kept(owner, *older, newer, running) == [*[False] * 5, True, True]


async def test_a_gateway_forgets_by_itself_as_its_setting_says(
    open_gateway: Open, alice: Person, lesson: Lesson, owner: Any
) -> None:
    async with open_gateway() as client:
        old = began(owner, await client.start(alice, lesson), 3)
    async with open_gateway(LECTERN_PLAYBACK_AUDIT_DAYS=2):
        await until(lambda: kept(owner, old) == [False])


@pytest.mark.parametrize(("pause_s", "counted"), [(20, 20), (600, 0)])
async def test_the_time_of_watching_is_added_up_without_the_pauses(
    client: Client, alice: Person, lesson: Lesson, owner: Any, pause_s: int, counted: int
) -> None:
    started = await client.start(alice, lesson)
    owner.execute(
        "UPDATE stream.playback_session SET last_seen_at = now() - %s * interval '1 second', active_s = 7 WHERE id = %s",
        [pause_s, started["playback"]],
    )
    assert (await client.get(started["manifest_url"])).status_code == 200
    await client.gateway.last_seen.settle()
    row = owner.execute("SELECT active_s FROM stream.playback_session WHERE id = %s", [started["playback"]]).fetchone()
    assert row[0] - 7 in range(counted, counted + 20 if counted else 1)
