"""Keeps the desks that are open in this process up to date: reads what all of them show at once, whenever it may be another.

An event only says "look again", so a lost one costs latency (the sweep comes every 5 s) and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Protocol

import structlog
from channels.db import database_sync_to_async
from django.db import Error as DjangoDatabaseError

from tickets import desk
from tickets.events import Event, Signal, TicketEvent
from tickets.people import Person

PAUSE = 0.2  # seconds between two reads, so that many events make few of them
SHARE = 0.1  # of the time that reading may take, however much there is to read
JUDGED_BY = 3  # reads, the quickest of them: a single slow one (a busy database) would keep desks waiting for seconds
RETRY_AFTER = 0.5  # seconds, while the database is away

log = structlog.get_logger()
read = database_sync_to_async(desk.read, thread_sensitive=False)


class Desk(Protocol):
    """What the feed asks of an open desk."""

    person: Person

    def show(self, snapshot: desk.Snapshot) -> None: ...


class DeskFeed:
    def __init__(self) -> None:
        self._desks: set[Desk] = set()
        self._woken = asyncio.Event()
        self._latest: desk.Snapshot | None = None

    def enter(self, desk: Desk) -> None:
        self._desks.add(desk)

    def leave(self, desk: Desk) -> None:
        self._desks.discard(desk)

    def wake(self) -> None:
        """Something that desks show may be another."""
        if self._desks:
            self._woken.set()

    def heard(self, event: Event) -> None:
        """What happened somewhere. What is said and read in a ticket that no desk here shows is none of its business."""
        if isinstance(event, Signal) and event.kind != "read":
            return
        changed = isinstance(event, TicketEvent) and event.changed
        if changed or self._latest is None or event.ticket in self._latest.tickets:
            self.wake()

    async def run(self) -> None:
        took: deque[float] = deque(maxlen=JUDGED_BY)
        while True:
            await self._woken.wait()
            self._woken.clear()
            began = time.monotonic()
            try:
                await self._refresh()
            except DjangoDatabaseError:
                self._woken.set()
                await asyncio.sleep(RETRY_AFTER)
            took.append(time.monotonic() - began)
            await asyncio.sleep(max(PAUSE, min(took) / SHARE))

    async def _refresh(self) -> None:
        people = {desk.person.id: desk.person for desk in self._desks}
        self._latest = await read(list(people.values()), self._latest)
        for each in list(self._desks):
            if each.person.id in self._latest.people:
                each.show(self._latest)
