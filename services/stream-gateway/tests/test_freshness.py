"""The guarded cache and its listener. The same module stands in chat-gateway, so this tests both."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from conftest import until
from frozen import Wire

from stream_gateway.freshness import MAX_AGE, ChangeListener, YesCache


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Facts:
    """Answers like a database, and counts how often it was asked."""

    def __init__(self, answer: str | None = "yes") -> None:
        self.answer, self.asked = answer, 0

    async def __call__(self) -> str | None:
        self.asked += 1
        return self.answer


def live_cache(clock: Clock | None = None) -> YesCache[str]:
    cache: YesCache[str] = YesCache(clock=clock or Clock())
    cache.live = True
    return cache


async def test_a_yes_is_kept_for_five_seconds() -> None:
    clock, facts = Clock(), Facts()
    cache = live_cache(clock)
    for _ in range(3):
        assert await cache.get("alice", facts) == "yes"
    assert facts.asked == 1
    clock.now = MAX_AGE
    await cache.get("alice", facts)
    assert (MAX_AGE, facts.asked) == (5.0, 2)


async def test_a_no_is_not_kept() -> None:
    cache, facts = live_cache(), Facts(None)
    assert await cache.get("alice", facts) is None
    facts.answer = "yes"
    assert await cache.get("alice", facts) == "yes"


async def test_alices_yes_is_not_bobs() -> None:
    cache = live_cache()
    await cache.get("alice", Facts())
    assert await cache.get("bob", Facts(None)) is None


@pytest.mark.parametrize(("ends_in", "asked_again_after"), [(2.0, 2.1), (60.0, 5.0), (-1.0, 0.0)])
async def test_a_yes_is_never_kept_past_its_own_end(ends_in: float, asked_again_after: float) -> None:
    clock, facts = Clock(), Facts()
    cache = live_cache(clock)
    end = datetime.now(UTC) + timedelta(seconds=ends_in)
    await cache.get("alice", facts, valid_until=lambda _answer: end)
    clock.now = asked_again_after
    await cache.get("alice", facts, valid_until=lambda _answer: end)
    assert facts.asked == 2


async def test_nothing_is_kept_nor_used_while_nobody_listens() -> None:
    cache, facts = live_cache(), Facts()
    await cache.get("alice", facts)
    cache.live = False
    await cache.get("alice", facts)
    cache.live = True
    await cache.get("bob", facts)
    assert facts.asked == 3


async def test_a_fill_that_raced_with_a_notification_is_dropped() -> None:
    cache = live_cache()
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def old_answer() -> str:
        asked.set()
        await go_on.wait()
        return "yes"

    racing = asyncio.create_task(cache.get("alice", old_answer))
    await asked.wait()
    cache.drop_all()  # revoked after the query saw its rows
    go_on.set()
    assert await racing == "yes"
    assert await cache.get("alice", Facts(None)) is None


async def test_a_fill_across_a_lost_connection_is_dropped() -> None:
    cache = live_cache()
    listener = ChangeListener("", [cache])

    async def old_answer() -> str:
        listener._set_live(False)
        listener._set_live(True)
        return "yes"

    await cache.get("alice", old_answer)
    assert await cache.get("alice", Facts(None)) is None


async def test_an_error_of_the_query_is_the_callers() -> None:
    async def away() -> str:
        raise psycopg.OperationalError("away")

    with pytest.raises(psycopg.OperationalError):
        await live_cache().get("alice", away)


async def test_it_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_gateway.freshness.MAX_ENTRIES", 10)
    cache = live_cache()
    for person in range(35):
        await cache.get(person, Facts())
    assert len(cache._kept) <= 10


@asynccontextmanager
async def listening(url: str, cache: YesCache[str] | None = None) -> AsyncIterator[tuple[ChangeListener, list[str]]]:
    heard: list[str] = []
    listener = ChangeListener(url, [cache or YesCache()], heard.append)
    task = asyncio.create_task(listener.run())
    try:
        await until(lambda: listener.live)
        heard.clear()  # the first is its own: whatever happened before it listened
        yield listener, heard
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def notify(databases: Any) -> Any:
    connection = psycopg.connect(databases.url("core"), autocommit=True)
    yield lambda payload: connection.execute("SELECT pg_notify('access_changed', %s)", [payload])
    connection.close()


async def test_every_notification_is_heard_also_those_during_a_probe(
    databases: Any, notify: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe's own statement reads the notification off the wire: psycopg must hand it to the next notifies()."""
    monkeypatch.setattr("stream_gateway.freshness.PROBE_EVERY", 0.001)
    async with listening(databases.url("stream")) as (_listener, heard):
        expected = [str(number) for number in range(400)]
        for payload in expected:
            await asyncio.to_thread(notify, payload)
        await until(lambda: len(heard) >= 400)
        assert heard == expected


async def test_a_notification_that_arrives_before_the_probes_answer_is_heard(
    databases: Any, notify: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_gateway.freshness.PROBE_TIMEOUT", 10)
    async with Wire(databases.url("stream")).running() as wire, listening(wire.address) as (_listener, heard):
        wire.freeze()
        notify("alice")
        await until(lambda: wire.held == 2)  # the notification on its way here, a probe on its way there
        wire.thaw()
        await until(lambda: heard == ["alice"])


async def test_a_killed_listener_is_not_live_and_comes_back(databases: Any) -> None:
    cache: YesCache[str] = YesCache()
    async with listening(databases.url("stream"), cache) as (listener, heard):
        await cache.get("alice", Facts())
        with databases.superuser() as superuser:
            superuser.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'lectern_stream' AND (query LIKE 'LISTEN%%' OR query = 'SELECT 1')"
            )
        await until(lambda: not listener.live)
        assert not cache.live
        assert await cache.get("alice", Facts(None)) is None
        await until(lambda: listener.live)
        assert heard == [""]  # everybody: something may have been missed


async def test_a_network_that_went_silent_is_noticed_within_a_second(databases: Any) -> None:
    """No reset, no end of stream: only the probe's missing answer tells."""
    cache: YesCache[str] = YesCache()
    async with Wire(databases.url("stream")).running() as wire, listening(wire.address, cache) as (listener, _heard):
        await cache.get("alice", Facts())
        wire.freeze()
        await until(lambda: not listener.live, seconds=1.2)
        assert await cache.get("alice", Facts(None)) is None
        wire.cut()
        wire.thaw()
        wire.mend()
        await until(lambda: listener.live)
