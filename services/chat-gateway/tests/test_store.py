"""The sockets' pool of connections outlives what happens to it."""

from __future__ import annotations

import asyncio
import random
import uuid

import psycopg
import pytest
from psycopg import errors as pg

from realtime.store import Store
from tests.conftest import POSTGRES, url


@pytest.fixture
async def store():
    store = Store(url("chat"))
    await store.open()
    await store._pool.wait()
    yield store
    await store.close()


async def test_who_hangs_up_in_the_middle_of_a_question_takes_no_connection_along(store):
    chance = random.Random(7)

    async def ask_and_hang_up():
        asking = asyncio.create_task(store.notes_after(uuid.uuid4(), 0, 10))
        await asyncio.sleep(chance.random() / 50)
        asking.cancel()
        await asyncio.wait([asking])

    for _ in range(12):
        await asyncio.gather(*(ask_and_hang_up() for _ in range(40)))
    async with asyncio.timeout(20):
        while store._pool._nconns > len(store._pool._pool):  # noqa: ASYNC110  the rest is answered, to nobody
            await asyncio.sleep(0.01)


async def test_a_postgres_that_ends_all_connections_is_noticed_by_nobody(store):
    ours = [connection.info.backend_pid for connection in store._pool._pool]
    with psycopg.connect(POSTGRES) as superuser:
        superuser.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", [ours])
    await asyncio.gather(*(store.ping() for _ in range(20)))


async def test_a_statement_that_takes_too_long_is_not_begun_again(monkeypatch):
    monkeypatch.setattr("realtime.store.OPTIONS", "-c statement_timeout=50")
    store, begun = Store(url("chat")), []
    once = store._once
    monkeypatch.setattr(store, "_once", lambda *asked: begun.append(asked) or once(*asked))
    await store.open()
    try:
        with pytest.raises(pg.QueryCanceled):
            await store._fetch("SELECT pg_sleep(10)", {})
        assert len(begun) == 1
    finally:
        await store.close()
