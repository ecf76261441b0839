"""What a socket is sent: rows after its cursor, in order and without a gap; and frames of the moment, which may be lost."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, Protocol, TypeVar

from realtime.store import OUTAGE


class Row(Protocol):
    """What is in a sequence: a message, a note."""

    @property
    def seq(self) -> int: ...


R = TypeVar("R", bound=Row)
PAGE = 100  # rows read at once
RETRY_AFTER = 0.5  # seconds, while the database is away


def contiguous(rows: list[R], cursor: int) -> list[R]:
    """The rows that follow `cursor` without a gap."""
    expected = itertools.count(cursor + 1)
    return list(itertools.takewhile(lambda row: row.seq == next(expected), rows))


class Writer(Generic[R]):
    """Follows one sequence: reads the rows after its cursor, sends them in order, sleeps until woken.

    `read(after, limit)` gives committed rows, `send` puts one on the wire, `send_now` does so if it waits for nobody. A hint
    only says "look again", so a lost one costs latency and nothing else. What this process commits is handed over and need
    not be read back, as long as it follows what was sent without a gap.
    """

    def __init__(
        self,
        cursor: int,
        read: Callable[[int, int], Awaitable[list[R]]],
        send: Callable[[R], Awaitable[None]],
        send_now: Callable[[R], bool],
    ) -> None:
        self._cursor = cursor
        self._restart: int | None = None
        self._read = read
        self._send = send
        self._send_now = send_now
        self._handed: deque[R] = deque()
        self._last = cursor  # the newest that was sent or handed over
        self._behind = True  # rows to be read: whatever was committed between the subscription and now
        self.sent = 0  # the newest that was put on the wire
        self._stopped = False
        self._resting = False  # all that is known of is sent
        self._woken = asyncio.Event()
        self._woken.set()

    def hand(self, row: R) -> None:
        """It was committed just now."""
        if self._resting and row.seq == self._cursor + 1 and self._send_now(row):
            self._sent(row)
        elif row.seq == self._last + 1 and len(self._handed) < PAGE and self._restart is None:
            self._handed.append(row)
            self._last = row.seq
            self._rouse()
        else:
            self.wake(row.seq)

    def stop(self) -> None:
        """Ends `run` after what it does now: a cancellation alone is lost now and then (Python 3.11's wait_for)."""
        self._stopped = True
        self._rouse()

    def wake(self, seq: int) -> None:
        """There are messages up to `seq`."""
        if seq > self._last:
            self._behind = True
            self._rouse()

    def restart(self, cursor: int) -> None:
        """Goes on after `cursor`, wherever it was."""
        self._restart = cursor
        self._handed.clear()
        self._behind = True
        self._rouse()

    def _rouse(self) -> None:
        self._resting = False
        self._woken.set()

    async def run(self) -> None:
        """For as long as the socket lives."""
        while not self._stopped:
            self._resting = not self._woken.is_set()
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
                self._rouse()

    async def _catch_up(self) -> None:
        while not self._stopped:
            if self._restart is not None:
                self._cursor = self._last = self._restart
                self._restart = None
            rows = contiguous(await self._read(self._cursor, PAGE), self._cursor)
            for row in rows:
                await self._send_next(row)
            if not rows or (len(rows) < PAGE and self._restart is None):
                return

    async def _send_next(self, row: R) -> None:
        """Unless it was sent already, or the writer is to go on elsewhere."""
        if row.seq == self._cursor + 1 and self._restart is None:
            if not self._send_now(row):
                await self._send(row)
            self._sent(row)

    def _sent(self, row: R) -> None:
        self.sent = row.seq
        if self._restart is None:
            self._cursor = row.seq
            self._last = max(self._last, row.seq)


class Outbox:
    """Frames of the moment: of each kind (and person) the newest, sent as fast as the reader takes them."""

    def __init__(self, send: Callable[[str], Awaitable[None]]) -> None:
        self._send = send
        self._waiting: dict[Hashable, str] = {}
        self._sending = False

    def put(self, key: Hashable, frame: str) -> bool:
        """True: now `run` has to be run."""
        self._waiting[key] = frame
        idle, self._sending = not self._sending, True
        return idle

    async def run(self) -> None:
        """Sends what waits."""
        try:
            while self._waiting:
                await self._send(self._waiting.pop(next(iter(self._waiting))))
        finally:
            self._sending = False
