"""A socket's writer: reads the rows after its cursor, sends them in order, sleeps until woken.

A hint only says "look again", so a lost one costs latency and nothing else.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
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
    """`read(after, limit)` gives committed rows, `send` puts one on the wire.

    What this process commits is handed over and need not be read back, as long as it follows what was sent without a gap.
    """

    def __init__(self, cursor: int, read: Read, send: Send) -> None:
        self._cursor = cursor
        self._restart: int | None = None
        self._read = read
        self._send = send
        self._handed: deque[MessageRow] = deque()
        self._last = cursor  # the newest that was sent or handed over
        self._behind = True  # rows to be read: whatever was committed between the subscription and now
        self._woken = asyncio.Event()
        self._woken.set()

    def hand(self, row: MessageRow) -> None:
        """It was committed just now."""
        if row.seq == self._last + 1 and len(self._handed) < PAGE and self._restart is None:
            self._handed.append(row)
            self._last = row.seq
            self._woken.set()
        else:
            self.wake(row.seq)

    def wake(self, seq: int) -> None:
        """There are messages up to `seq`."""
        if seq > self._last:
            self._behind = True
            self._woken.set()

    def restart(self, cursor: int) -> None:
        """Goes on after `cursor`, wherever it was."""
        self._restart = cursor
        self._handed.clear()
        self._behind = True
        self._woken.set()

    async def run(self) -> None:
        """For as long as the socket lives; cancel it to stop."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                while self._handed:
                    await self._send_next(self._handed.popleft())
                if self._behind:
                    self._behind = False
                    await self._catch_up()
            except OUTAGE:
                await asyncio.sleep(RETRY_AFTER)
                self._behind = True
                self._woken.set()

    async def _catch_up(self) -> None:
        while True:
            if self._restart is not None:
                self._cursor = self._last = self._restart
                self._restart = None
            rows = contiguous(await self._read(self._cursor, PAGE), self._cursor)
            for row in rows:
                await self._send_next(row)
            if not rows or (len(rows) < PAGE and self._restart is None):
                return

    async def _send_next(self, row: MessageRow) -> None:
        """Unless it was sent already, or the writer is to go on elsewhere."""
        if row.seq == self._cursor + 1 and self._restart is None:
            await self._send(row)
            if self._restart is None:
                self._cursor = row.seq
                self._last = max(self._last, row.seq)
