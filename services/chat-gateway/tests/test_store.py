"""The sockets' pool of connections outlives what happens to it."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from psycopg import errors as pg

from realtime.store import Store
from tests.conftest import POSTGRES, url

CONNECTIONS = 2  # as many as an idle store keeps


@pytest.fixture
async def store():
    store = Store(url("chat"))
    await store.open()
    await store._pool.wait()
    yield store
    await store.close()


def ready(store: Store) -> int:
    return store._pool.get_stats()["pool_available"]


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  what is waited for happens in the pool's own tasks
            await asyncio.sleep(0.01)


async def test_who_is_cut_off_while_connections_are_looked_at_takes_none_of_them_along(store):
    impatient = asyncio.create_task(store._renew_connections())
    while ready(store):  # noqa: ASYNC110  what is waited for happens in another task
        await asyncio.sleep(0)
    async with store._pool._lock:  # a busy pool: whoever puts one back has to wait
        await asyncio.sleep(0.1)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
    await until(lambda: ready(store) >= CONNECTIONS)
    await store.ping()


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
