"""The pool of connections. Everything here is bounded in time: a database that does not answer is a 503, soon."""

from __future__ import annotations

import select
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from stream_gateway.freshness import hang_up_after
from stream_gateway.gathering import Gathering

Connection = AsyncConnection[DictRow]

WAIT = 3.0  # seconds for a connection
CHECK = 1.0  # seconds to find that a pooled one still lives
ANSWER = 3.0  # seconds for everything that one request asks
RECENT = 1.0  # seconds
TOGETHER = 100  # questions in one statement
# Planning a decision anew costs more than running it, and compiling it far more; a plan is kept as long as its connection.
# Made while a table was nearly empty, it would read all of the table ever after, until autovacuum had counted it: rows are looked
# up by their indexes, however few there seem to be.
PLANNING = "-c plan_cache_mode=force_generic_plan -c jit=off -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
OPTIONS = f"{PLANNING} -c statement_timeout=2500 -c lock_timeout=2500 -c idle_in_transaction_session_timeout=10000"


class Database:
    """Runs statements as the runtime role; each statement commits by itself unless `transaction` is used."""

    def __init__(self, url: str) -> None:
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "connect_timeout": 2,
                "options": OPTIONS,
                "prepare_threshold": 0,  # at once: connections take turns, and each would plan a statement anew five times
                "application_name": "stream-gateway",
            },
            min_size=1,
            max_size=10,
            timeout=WAIT,
            reconnect_timeout=WAIT,  # longer would back off for minutes after the database has come back
            check=_check,
            open=False,
            name="stream-gateway",
        )
        self._gatherings: dict[str, Gathering[dict[str, Any], DictRow | None]] = {}

    async def open(self) -> None:
        """Begins to connect; a database that is away does not stop the start (readyz says so)."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close(timeout=2)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with self._pool.connection() as connection:
            with hang_up_after(ANSWER, connection):
                yield connection
            _used[connection] = time.monotonic()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def one(self, statement: str, parameters: dict[str, Any]) -> DictRow | None:
        async with self.connection() as connection:
            return await (await connection.execute(statement, parameters)).fetchone()

    async def each(self, statement: str, parameters: dict[str, Any]) -> DictRow | None:
        """As `one`, but whoever asks the same at the same time shares a statement: every parameter is a list there, and each
        row has the `place` in them of the question that it answers, counted from 1.
        """
        if statement not in self._gatherings:
            self._gatherings[statement] = Gathering(partial(self._answer, statement), TOGETHER)
        return await self._gatherings[statement].ask(parameters)

    async def _answer(self, statement: str, asked: Sequence[dict[str, Any]]) -> list[DictRow | None]:
        lists = {name: [parameters[name] for parameters in asked] for name in asked[0]}
        answers: list[DictRow | None] = [None] * len(asked)
        for row in await self.all(statement, lists):
            answers[row["place"] - 1] = row
        return answers

    async def all(self, statement: str, parameters: dict[str, Any]) -> list[DictRow]:
        async with self.connection() as connection:
            return await (await connection.execute(statement, parameters)).fetchall()


async def _check(connection: Connection) -> None:
    """Asks the database over one that lay idle, or whose socket has something to say: a server that goes says so there.

    One that was used a moment ago needs no question of its own before each query.
    """
    if _recently_used(connection) and not _has_something_to_say(connection):
        return
    with hang_up_after(CHECK, connection):
        await AsyncConnectionPool.check_connection(connection)


_used: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()  # when each last answered


def _recently_used(connection: Connection) -> bool:
    return time.monotonic() - _used.get(connection, float("-inf")) < RECENT


def _has_something_to_say(connection: Connection) -> bool:
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))
