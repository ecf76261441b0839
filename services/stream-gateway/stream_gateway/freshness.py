"""Answers kept for moments only, and dropped the moment access shrinks. The same text stands in both gateways (ADR 5).

Only "yes" is ever kept, for MAX_AGE at most and never past the answer's own end. A fill is dropped if any notification
arrived since its query began: query, revoke, notify, then keep would otherwise keep the old "yes" (measured, 8 of 3,000).
While the listening connection is down, nothing is kept and nothing kept is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Awaitable, Callable, Hashable, Iterator
from datetime import datetime
from typing import Any, Generic, TypeVar

import psycopg

CHANNEL = "access_changed"
MAX_AGE = 5.0  # seconds
MAX_ENTRIES = 50_000
PROBE_EVERY = 0.5  # seconds
PROBE_TIMEOUT = 0.5  # seconds

T = TypeVar("T")


class YesCache(Generic[T]):
    """Keeps what `query` answered, unless that was None ("no")."""

    def __init__(self, max_age: float = MAX_AGE, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_age = max_age
        self._clock = clock
        self._kept: dict[Hashable, tuple[float, T]] = {}
        self._notifications = 0
        self.live = False

    async def get(
        self,
        key: Hashable,
        query: Callable[[], Awaitable[T | None]],
        valid_until: Callable[[T], datetime | None] = lambda _answer: None,
    ) -> T | None:
        """The kept answer for `key`, else `query`'s. `valid_until` tells when an answer ends by itself (None: never)."""
        if (answer := self.kept(key)) is not None:
            return answer
        notifications = self._notifications
        answer = await query()
        if answer is not None and self.live and notifications == self._notifications:
            self._keep(key, answer, valid_until(answer))
        return answer

    def kept(self, key: Hashable) -> T | None:
        """The kept answer for `key`, if it may still be given."""
        if self.live and (entry := self._kept.get(key)) and self._clock() < entry[0]:
            return entry[1]
        return None

    def drop_all(self) -> None:
        """Access shrank somewhere. Such events are rare, so everything goes: simpler than finding what it concerned."""
        self._notifications += 1
        self._kept.clear()

    def _keep(self, key: Hashable, answer: T, ends: datetime | None) -> None:
        age = self._max_age if ends is None else min(self._max_age, ends.timestamp() - time.time())
        if age <= 0:
            return
        if len(self._kept) >= MAX_ENTRIES:
            self._kept.clear()
        self._kept[key] = (self._clock() + age, answer)


@contextlib.contextmanager
def hang_up_after(
    seconds: float, connection: psycopg.AsyncConnection[Any], also: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Cuts `connection` when the block takes longer; its statement then raises OperationalError, at once.

    Cancelling instead would make psycopg wait for a silent server's word for ten seconds more (measured).
    """

    def cut() -> None:
        also()
        with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    overdue = asyncio.get_running_loop().call_later(seconds, cut)
    try:
        yield
    finally:
        overdue.cancel()


class ChangeListener:
    """Listens for `access_changed` for as long as `run` runs. `on_change` gets the payload (a user's UUID, or empty: everybody)."""

    def __init__(
        self, dsn: str, caches: list[YesCache[T]], on_change: Callable[[str], None] = lambda _payload: None
    ) -> None:
        self._dsn = dsn
        self._caches = caches
        self._on_change = on_change
        self.live = False

    async def run(self) -> None:
        while True:
            with contextlib.suppress(psycopg.Error, OSError):
                await self._listen()
            self._set_live(False)
            await asyncio.sleep(0.2)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=2) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self._changed("")  # whatever happened while nobody listened
            self._set_live(True)
            while True:
                async for notification in connection.notifies(timeout=PROBE_EVERY):
                    self._changed(notification.payload)
                with hang_up_after(PROBE_TIMEOUT, connection, lambda: self._set_live(False)):
                    await connection.execute("SELECT 1")

    def _changed(self, payload: str) -> None:
        for cache in self._caches:
            cache.drop_all()
        self._on_change(payload)

    def _set_live(self, live: bool) -> None:
        self.live = live
        for cache in self._caches:
            cache.live = live
            if not live:
                cache.drop_all()
