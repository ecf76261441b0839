"""A socket's writer: reads the rows after its cursor, sends them in order, sleeps until woken.

A hint only says "look again", so a lost one costs latency and nothing else.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

from realtime.store import OUTAGE
from tickets.sql import MessageRow

PAGE = 100  # rows read at once
RETRY_AFTER = 0.5  # seconds, while the database is away

Read = Callable[[int, int], Awaitable[list[MessageRow]]]
Send = Callable[[MessageRow], Awaitable[None]]


def contiguous(rows: list[MessageRow], cursor: int) -> list[MessageRow]:
    """The rows that follow `cursor` without a gap."""
    expected = itertools.count(cursor + 1)
    return list(itertools.takewhile(lambda row: row.seq == next(expected), rows))


class Writer:
    """`read(after, limit)` gives committed rows, `send` puts one on the wire."""

    def __init__(self, cursor: int, read: Read, send: Send) -> None:
        self._cursor = cursor
        self._restart: int | None = None
        self._read = read
        self._send = send
        self._woken = asyncio.Event()
        self._woken.set()  # whatever was committed between the subscription and now

    def wake(self, seq: int) -> None:
        """There are messages up to `seq`."""
        if seq > self._cursor:
            self._woken.set()

    def restart(self, cursor: int) -> None:
        """Goes on after `cursor`, wherever it was."""
        self._restart = cursor
        self._woken.set()

    async def run(self) -> None:
        """For as long as the socket lives; cancel it to stop."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._catch_up()
            except OUTAGE:
                await asyncio.sleep(RETRY_AFTER)
                self._woken.set()

    def _move(self) -> None:
        if self._restart is not None:
            self._cursor, self._restart = self._restart, None

    async def _catch_up(self) -> None:
        while True:
            self._move()
            rows = contiguous(await self._read(self._cursor, PAGE), self._cursor)
            for row in rows:
                await self._send(row)
                if self._restart is not None:
                    break
                self._cursor = row.seq
            if not rows or (len(rows) < PAGE and self._restart is None):
                return
