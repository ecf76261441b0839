"""Who gets which ticket: one rule, free of any database. tickets/assignment.py carries it out; a test holds its SQL to this.

Tickets wait in the order of `place`, and each goes to the least loaded agent for their weight who is online, answers its
category and has room.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HEAD_START = timedelta(minutes=30)  # what one step of priority is worth; in SQL: chat.place
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent of one category. `capacity` bounds all their open tickets together."""

    id: uuid.UUID
    username: str
    category_id: uuid.UUID
    weight: int
    capacity: int
    online: bool = True
    assigned_at: datetime | None = None

    def has_room(self, load: Mapping[uuid.UUID, int]) -> bool:
        return load.get(self.id, 0) < self.capacity


@dataclass(frozen=True, slots=True)
class Waiting:
    """A ticket in the queue. `previous` is who had it last."""

    id: uuid.UUID
    number: int
    category_id: uuid.UUID
    learner_id: uuid.UUID
    previous: uuid.UUID | None
    priority: int
    queued_at: datetime

    @property
    def place(self) -> tuple[datetime, int]:
        """Where it stands in the queue; the least is next.

        Ageing: a ticket is worth its priority plus one for each HEAD_START that it waits. Of two tickets the same one is
        worth more at any time, so the order is that of queued_at - priority * HEAD_START, which an index can keep (J. R.
        Jackson, "Some problems in queueing with dynamic priorities", Naval Research Logistics Quarterly 7, 1960).
        Nothing starves: only what comes within (difference of priorities) * HEAD_START of a ticket goes before it.
        """
        return self.queued_at - self.priority * HEAD_START, self.number


def choose(ticket: Waiting, agents: Iterable[Agent], load: Mapping[uuid.UUID, int]) -> Agent | None:
    """The agent for a ticket, of those of its category: the previous one, else the least loaded for their weight.

    The load then follows the weights as seats follow votes by D'Hondt's divisors: the least (load + 1) / weight is next.
    Equals take turns. Weight 0 means: nothing by itself (but by claim and transfer). Nobody answers their own questions.
    None: nobody has room.
    """
    free = [a for a in agents if a.online and a.weight > 0 and a.id != ticket.learner_id and a.has_room(load)]
    return min(
        [agent for agent in free if agent.id == ticket.previous] or free,
        key=lambda agent: ((load.get(agent.id, 0) + 1) / agent.weight, agent.assigned_at or NEVER, agent.id),
        default=None,
    )


def plan(
    waiting: Iterable[Waiting], agents: Iterable[Agent], load: Mapping[uuid.UUID, int]
) -> list[tuple[Waiting, Agent]]:
    """What is given to whom, in this order. `agents`: a row for each category that somebody answers; `load`: open tickets
    of each agent by id, to begin with. What is left out waits on, without holding up what comes after it."""
    by_category: dict[uuid.UUID, list[Agent]] = {}
    for agent in agents:
        by_category.setdefault(agent.category_id, []).append(agent)
    counted = dict(load)
    given: list[tuple[Waiting, Agent]] = []
    for ticket in sorted(waiting, key=lambda ticket: ticket.place):
        if chosen := choose(ticket, by_category.get(ticket.category_id, ()), counted):
            counted[chosen.id] = counted.get(chosen.id, 0) + 1
            given.append((ticket, chosen))
    return given
