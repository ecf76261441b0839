"""What happened to a ticket, told after the commit. The serving process subscribes and wakes sockets (realtime/hub.py)."""

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


# Of no ticket: an agent came, went or has another status. Only open desks look at it.
AGENTS_CHANGED = TicketEvent(uuid.UUID(int=0), 0, changed=True)

Subscriber = Callable[[TicketEvent], None]
_subscribers: list[Subscriber] = []


def subscribe(subscriber: Subscriber) -> Callable[[], None]:
    """`subscriber` is called from whichever thread committed. Returns the function that ends the subscription."""
    _subscribers.append(subscriber)
    return lambda: _subscribers.remove(subscriber)


def publish_on_commit(event: TicketEvent) -> None:
    def publish() -> None:
        for subscriber in _subscribers:
            subscriber(event)

    transaction.on_commit(publish)
