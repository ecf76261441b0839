"""What happens to a ticket. What is committed is told after the commit; the serving process subscribes (realtime/hub.py)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """Ticket `ticket` has messages up to `seq` and notes up to `note_seq`; 0 says nothing about them.

    `changed`: its state, agent or category is another than before.
    """

    ticket: uuid.UUID
    seq: int
    changed: bool = False
    note_seq: int = 0

    def and_then(self, later: TicketEvent) -> TicketEvent:
        """Both in one."""
        return TicketEvent(
            self.ticket,
            max(self.seq, later.seq),
            self.changed or later.changed,
            max(self.note_seq, later.note_seq),
        )


SIGNALS = ("typing", "presence", "read", "who")


@dataclass(frozen=True, slots=True)
class Signal:
    """Told to those who look at the ticket now, and to nobody later; it may be lost.

    `kind`, one of SIGNALS: `typing`, `presence` (`value`: whether they are there), `read` (`value`: up to which message), or
    `who`, which asks other processes which sockets they have there.
    """

    kind: str
    ticket: uuid.UUID
    user: uuid.UUID
    username: str
    value: int = True


# Of no ticket: an agent came, went or has another status. Only open desks look at it.
AGENTS_CHANGED = TicketEvent(uuid.UUID(int=0), 0, changed=True)

Event = TicketEvent | Signal
Subscriber = Callable[[Event], None]
_subscribers: list[Subscriber] = []


def subscribe(subscriber: Subscriber) -> Callable[[], None]:
    """`subscriber` is called from whichever thread committed. Returns the function that ends the subscription."""
    _subscribers.append(subscriber)
    return lambda: _subscribers.remove(subscriber)


def publish_on_commit(event: Event) -> None:
    def publish() -> None:
        for subscriber in _subscribers:
            subscriber(event)

    transaction.on_commit(publish)
