"""The open sockets of this process, by ticket and by person: wakes those whom an event concerns.

Events come from this process at once, from others as hints through Redis, and from the sweep at the latest.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

import structlog

from realtime.store import OUTAGE, Store
from tickets.events import TicketEvent
from tickets.people import Person
from tickets.sql import MessageRow, TicketFacts

log = structlog.get_logger()

RECHECK_AFTER = 0.5  # seconds, while the database is away


class Socket(Protocol):
    """What the hub asks of a socket that was let in."""

    person: Person

    async def recheck(self) -> None: ...
    async def shut(self, code: int) -> None: ...


class Listener(Protocol):
    """What the hub asks of whoever looks at a ticket. `facts` is what it was told of the ticket last."""

    facts: TicketFacts

    def hand(self, row: MessageRow) -> None: ...
    def wake(self, seq: int) -> None: ...
    async def ticket_changed(self, facts: TicketFacts) -> None: ...


T = TypeVar("T")


def take_out(groups: dict[uuid.UUID, set[T]], key: uuid.UUID, member: T) -> None:
    """An empty group goes."""
    if group := groups.get(key):
        group.discard(member)
        if not group:
            del groups[key]


class Hub:
    def __init__(self, store: Store) -> None:
        self._store = store
        self.tell_others: Callable[[TicketEvent], None] = lambda _event: None  # one process, unless there is Redis
        self._sockets: dict[uuid.UUID, set[Socket]] = {}
        self._rooms: dict[uuid.UUID, set[Listener]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    def join(self, socket: Socket) -> None:
        self._sockets.setdefault(socket.person.id, set()).add(socket)

    def leave(self, socket: Socket) -> None:
        take_out(self._sockets, socket.person.id, socket)

    def enter(self, ticket: uuid.UUID, listener: Listener) -> None:
        """`listener` hears of everything that happens to the ticket from now on."""
        self._rooms.setdefault(ticket, set()).add(listener)

    def exit(self, ticket: uuid.UUID, listener: Listener) -> None:
        take_out(self._rooms, ticket, listener)

    def sockets(self) -> list[Socket]:
        return [socket for sockets in self._sockets.values() for socket in sockets]

    def agents(self) -> set[uuid.UUID]:
        """Who answers tickets and has a socket open here."""
        return {socket.person.id for socket in self.sockets() if socket.person.categories}

    def committed(self, ticket: uuid.UUID, row: MessageRow) -> None:
        """This process committed a message: its own sockets need not read it back."""
        for listener in self._rooms.get(ticket, ()):
            listener.hand(row)
        self.tell_others(TicketEvent(ticket, row.seq))

    def announce(self, event: TicketEvent) -> None:
        """Something was committed by this process."""
        self.hint(event)
        self.tell_others(event)

    def announce_from_thread(self, event: TicketEvent) -> None:
        self._loop.call_soon_threadsafe(self.announce, event)

    def hint(self, event: TicketEvent) -> None:
        """Something was committed somewhere."""
        room = self._rooms.get(event.ticket, set())
        for listener in room:
            listener.wake(event.seq)
        if room and event.changed:
            self.spawn(self._look_at([event.ticket]))

    def access_changed(self, user: str) -> None:
        """Somebody's access shrank (their UUID), or perhaps everybody's (empty)."""
        concerned = self._sockets.get(uuid.UUID(user), set()) if user else self.sockets()
        for socket in concerned:
            self.spawn(self._recheck(socket))

    async def sweep(self) -> None:
        """Makes up for lost hints: compares what sockets were told with what is committed."""
        await self._look_at(list(self._rooms))

    async def _look_at(self, tickets: list[uuid.UUID]) -> None:
        for facts in await self._store.facts(tickets):
            for listener in list(self._rooms.get(facts.id, set())):
                listener.wake(facts.head_seq)
                if not listener.facts.looks_like(facts):
                    await listener.ticket_changed(facts)

    async def _recheck(self, socket: Socket) -> None:
        while True:
            try:
                return await socket.recheck()
            except OUTAGE:
                await asyncio.sleep(RECHECK_AFTER)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._safely(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _safely(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except OUTAGE:
            pass  # the sweep comes back to it
        except Exception:
            log.exception("socket_task_failed")
