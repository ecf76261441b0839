"""Which sockets other processes hold, as far as they concern this one: whoever looks at its tickets, and its people's others.

Every process tells of each of its sockets when it opens and when it closes, and again and again while it is open. What was
not told again for LEASE is gone: its process was killed, or Redis is away. So nobody has to clean up after a dead process,
and what was lost on the way is made up for.

Each process keeps that in its memory, none of it is in Redis: nobody who connects waits for an answer, and where Redis is
away a process goes by what it holds itself.
"""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

LEASE = 60.0  # seconds
TOLD_EVERY = 4  # sweeps (of 5 s): each tells of a fourth of the sockets, so that thousands are not told of at once


@dataclass(frozen=True, slots=True)
class SocketNews:
    """What a process tells of one of its sockets. `ticket`: what it shows; None for a desk's. `opened_at`: µs since 1970."""

    id: uuid.UUID
    user: uuid.UUID
    username: str
    ticket: uuid.UUID | None
    opened_at: int
    is_open: bool = True

    @property
    def age_order(self) -> tuple[int, uuid.UUID]:
        return self.opened_at, self.id

    def is_due(self, sweep: int) -> bool:
        """Whether this sweep tells of it again."""
        return self.id.int % TOLD_EVERY == sweep % TOLD_EVERY


class Elsewhere:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[uuid.UUID, float] = {}
        self._sockets: dict[uuid.UUID, SocketNews] = {}
        self._about: defaultdict[uuid.UUID, dict[uuid.UUID, SocketNews]] = defaultdict(dict)  # by ticket and by person

    def put(self, socket: SocketNews) -> None:
        """Another process has it, for LEASE from now."""
        self._until[socket.id] = self._clock() + LEASE
        self._sockets[socket.id] = socket
        for key in (socket.user, socket.ticket):
            if key:
                self._about[key][socket.id] = socket

    def remove(self, socket: SocketNews) -> None:
        """It is closed, if it is known at all."""
        if self._sockets.pop(socket.id, None) is None:
            return
        del self._until[socket.id]
        for key in (socket.user, socket.ticket):
            if key:
                del self._about[key][socket.id]
                if not self._about[key]:
                    del self._about[key]

    def ended(self) -> list[SocketNews]:
        """Those that were not told of again in time."""
        now = self._clock()
        return [self._sockets[socket] for socket, until in self._until.items() if until <= now]

    def present(self, ticket: uuid.UUID) -> dict[uuid.UUID, str]:
        """Who looks at the ticket there, with their names."""
        return {socket.user: socket.username for socket in self._about.get(ticket, {}).values()}

    def of(self, user: uuid.UUID, *, desk: bool) -> list[SocketNews]:
        """A person's sockets there: desks', or tickets'."""
        return [socket for socket in self._about.get(user, {}).values() if (socket.ticket is None) == desk]
