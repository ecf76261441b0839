"""The open sockets of this process, by ticket and by person: wakes those whom an event concerns.

Events come from this process at once, from others as hints through Redis, and from the sweep at the latest.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Protocol

import structlog

from realtime.elsewhere import Elsewhere, SocketNews
from realtime.limits import MOST_SOCKETS
from realtime.store import OUTAGE, Store
from tickets.events import Event, Signal, TicketEvent
from tickets.people import Person
from tickets.sql import MessageRow, TicketFacts

log = structlog.get_logger()

RECHECK_AFTER = 0.5  # seconds, while the database is away


class Socket(Protocol):
    """What the hub asks of a socket that was let in."""

    person: Person
    code: int | None  # what it was closed with, by us
    news: SocketNews  # what other processes are told of it

    async def recheck(self) -> None: ...
    async def displace(self) -> None: ...
    async def retire(self) -> None: ...


class Listener(Protocol):
    """What the hub asks of whoever looks at a ticket. `facts` is what it was told of the ticket last."""

    person: Person
    facts: TicketFacts
    news: SocketNews

    def hand(self, row: MessageRow) -> None: ...
    def wake(self, seq: int, note_seq: int) -> None: ...
    def signalled(self, signal: Signal) -> None: ...
    def ticket_changed(self, facts: TicketFacts) -> None: ...


class Hub:
    def __init__(self, store: Store) -> None:
        self._store = store
        # One process, unless there is Redis.
        self.tell_others: Callable[[Event | SocketNews], None] = lambda _event: None
        self.tell_desks: Callable[[Event], None] = lambda _event: None
        self._sockets: dict[uuid.UUID, dict[Socket, None]] = {}  # of each person, the oldest first
        self._rooms: dict[uuid.UUID, set[Listener]] = {}
        self._elsewhere = Elsewhere()
        self._sweeps = 0
        self.changes = 0  # of tickets' states, agents and categories, as far as they were heard of
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    def join(self, socket: Socket) -> None:
        self._sockets.setdefault(socket.person.id, {})[socket] = None
        self.tell_others(socket.news)

    def leave(self, socket: Socket) -> None:
        sockets = self._sockets[socket.person.id]
        del sockets[socket]
        if not sockets:
            del self._sockets[socket.person.id]
        self.tell_others(replace(socket.news, is_open=False))

    def enter(self, ticket: uuid.UUID, listener: Listener) -> None:
        """`listener` hears of everything that happens to the ticket from now on."""
        person, arrived = listener.person, listener.person.id not in self.present(ticket)
        self._rooms.setdefault(ticket, set()).add(listener)
        if arrived:
            self._spread(Signal("presence", ticket, person.id, person.username))

    def exit(self, ticket: uuid.UUID, listener: Listener) -> None:
        room, person = self._rooms[ticket], listener.person
        room.discard(listener)
        if not room:
            del self._rooms[ticket]
        if person.id not in self.present(ticket):
            self._spread(Signal("presence", ticket, person.id, person.username, False))

    def present(self, ticket: uuid.UUID) -> dict[uuid.UUID, str]:
        """Who looks at the ticket, here or elsewhere, with their names."""
        here = {listener.person.id: listener.person.username for listener in self._rooms.get(ticket, ())}
        return self._elsewhere.present(ticket) | here

    def sockets(self) -> list[Socket]:
        return [socket for sockets in self._sockets.values() for socket in sockets]

    def displace_oldest(self, user: uuid.UUID, *, desk: bool) -> None:
        """Of more than MOST_SOCKETS of a person, desks' or tickets', the oldest close: each process closes its own."""
        mine = [
            each for each in self._sockets.get(user, ()) if each.code is None and (each.news.ticket is None) == desk
        ]
        known = [each.news for each in mine] + self._elsewhere.of(user, desk=desk)
        displaced = {news.id for news in sorted(known, key=lambda news: news.age_order)[:-MOST_SOCKETS]}
        for each in mine:
            if each.news.id in displaced:
                self.spawn(each.displace())

    def looking(self) -> set[tuple[uuid.UUID, uuid.UUID]]:
        """Which ticket each person here looks at."""
        return {(ticket, listener.person.id) for ticket, room in self._rooms.items() for listener in room}

    def agents(self) -> set[uuid.UUID]:
        """Who answers tickets and has a socket open here."""
        return {socket.person.id for socket in self.sockets() if socket.person.categories}

    def committed(self, ticket: uuid.UUID, row: MessageRow) -> None:
        """This process committed a message: its own sockets need not read it back."""
        for listener in self._rooms.get(ticket, ()):
            listener.hand(row)
        event = TicketEvent(ticket, row.seq)
        self.tell_desks(event)
        self.tell_others(event)

    def announce(self, event: Event) -> None:
        """Something happened in this process (it is committed, if it is to stay)."""
        self._spread(event)
        self.tell_others(event)

    def announce_from_thread(self, event: Event) -> None:
        self._loop.call_soon_threadsafe(self.announce, event)

    def hint(self, event: Event | SocketNews) -> None:
        """Something happened in another process."""
        if isinstance(event, SocketNews):
            self._heard_of(event)
        elif isinstance(event, Signal) and event.kind == "who":
            for listener in self._rooms.get(event.ticket, ()):
                self.tell_others(listener.news)
        else:
            self._spread(event)

    def _heard_of(self, news: SocketNews) -> None:
        """Another process opened a socket, has it still, or has it no more."""
        if news.is_open and news.ticket not in self._rooms and news.user not in self._sockets:
            return  # it concerns nobody here
        ticket, was_there = news.ticket, self._sees(news)
        if news.is_open:
            self._elsewhere.put(news)
            self.displace_oldest(news.user, desk=ticket is None)
        else:
            self._elsewhere.remove(news)
        if ticket and self._sees(news) != was_there:
            self._spread(Signal("presence", ticket, news.user, news.username, not was_there))

    def _sees(self, news: SocketNews) -> bool:
        return news.ticket in self._rooms and news.user in self.present(news.ticket)

    def _renew_leases(self) -> None:
        self._sweeps += 1
        for socket in self.sockets():
            if socket.news.is_due(self._sweeps):
                self.tell_others(socket.news)
        for gone in self._elsewhere.ended():
            self._heard_of(replace(gone, is_open=False))

    def _spread(self, event: Event) -> None:
        self.tell_desks(event)
        room = self._rooms.get(event.ticket, ())
        if isinstance(event, Signal):
            for listener in room:
                listener.signalled(event)
            return
        for listener in room:
            listener.wake(event.seq, event.note_seq)
        self.changes += event.changed
        if room and event.changed:
            self.look_soon(event.ticket)

    def look_soon(self, ticket: uuid.UUID) -> None:
        """Compares what is committed with what its listeners were told."""
        self.spawn(self._look_at([ticket]))

    def access_changed(self, user: str) -> None:
        """Somebody's access shrank (their UUID), or perhaps everybody's (empty)."""
        concerned = self._sockets.get(uuid.UUID(user), ()) if user else self.sockets()
        for socket in concerned:
            self.spawn(self._recheck(socket))

    async def sweep(self) -> None:
        """Makes up for lost hints: compares what sockets were told with what is committed."""
        self._renew_leases()
        await self._look_at(list(self._rooms))

    async def _look_at(self, tickets: list[uuid.UUID]) -> None:
        for facts in await self._store.facts(tickets):
            for listener in list(self._rooms.get(facts.id, set())):
                listener.wake(facts.head_seq, facts.head_note_seq)
                if not listener.facts.looks_like(facts):
                    listener.ticket_changed(facts)

    async def _recheck(self, socket: Socket) -> None:
        while True:
            try:
                return await socket.recheck()
            except OUTAGE:
                await asyncio.sleep(RECHECK_AFTER)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._safely(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _safely(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except OUTAGE:
            pass  # the sweep comes back to it
        except Exception:
            log.exception("socket_task_failed")
