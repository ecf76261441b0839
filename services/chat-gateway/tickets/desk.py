"""What agents see at their desks: their open tickets, the head of their queues, how long those are, who is there.

Read for everybody at once by a fixed number of queries, however many they are; what is one person's is picked out of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Value

from tickets import queries
from tickets.models import Ticket, TicketState
from tickets.people import LEAD, Person
from tickets.serializers import AgentSerializer, QueueSerializer, TicketSerializer

HEAD = 50  # waiting tickets shown of each category, the next ones first

# Open ones first, then as they wait.
TICKETS = """
SELECT id, 0 AS waits, queued_at AS place, number
  FROM chat.ticket WHERE state = 'open' AND assignee_id = ANY(%(users)s)
 UNION ALL
SELECT t.id, 1, t.place, t.number
  FROM unnest(%(categories)s::uuid[]) c(id)
 CROSS JOIN LATERAL (
       SELECT id, chat.place(queued_at, priority) AS place, number FROM chat.ticket
        WHERE state = 'queued' AND category_id = c.id ORDER BY chat.place(queued_at, priority), number LIMIT %(head)s) t
 ORDER BY waits, place, number
"""

# Whoever has neither read nor written anything in a ticket is not in here, and has all of it unread.
READ = """
WITH involved AS (
    SELECT ticket_id, user_id FROM chat.read_cursor WHERE ticket_id = ANY(%(tickets)s) AND user_id = ANY(%(users)s)
     UNION
    SELECT ticket_id, sender_id FROM chat.message WHERE ticket_id = ANY(%(tickets)s) AND sender_id = ANY(%(users)s)
)
SELECT i.ticket_id, i.user_id, coalesce(r.seq, 0),
       (SELECT count(*) FROM chat.message m
         WHERE m.ticket_id = i.ticket_id AND m.seq > coalesce(r.seq, 0) AND m.sender_id <> i.user_id)
  FROM involved i LEFT JOIN chat.read_cursor r USING (ticket_id, user_id)
"""

QUEUES = """
SELECT c.category_id AS id, c.slug, c.name, coalesce(w.queued, 0) AS queued, w.oldest_queued_at
  FROM published.support_category c
  LEFT JOIN (SELECT category_id, count(*) AS queued, min(queued_at) AS oldest_queued_at
               FROM chat.ticket WHERE state = 'queued' GROUP BY category_id) w USING (category_id)
 WHERE c.category_id = ANY(%(categories)s)
 ORDER BY c.position, c.name
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A ticket, and how REST gives it (less what is the reader's own). `row`: what it was made of."""

    ticket: Ticket
    row: tuple[Any, ...]
    data: dict[str, Any]


# How a person finds a ticket: its data, how far they have read, and how much is unread.
Found = tuple[dict[str, Any], int, int]


@dataclass(frozen=True, slots=True)
class View:
    """What one desk shows: `me` and `agents` as GET /agents/ has them, tickets by id."""

    me: dict[str, Any]
    tickets: dict[str, Found]
    queue: list[dict[str, Any]]
    agents: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The desks of `people`, read together."""

    people: frozenset[uuid.UUID]
    tickets: dict[uuid.UUID, Shown]
    held: dict[uuid.UUID, list[Shown]]  # open ones by agent
    waiting: dict[uuid.UUID, list[Shown]]  # by category
    read: dict[tuple[uuid.UUID, uuid.UUID], tuple[int, int]]  # ticket and person: read_seq, unread
    queues: dict[uuid.UUID, dict[str, Any]]  # by category
    agents: dict[str, dict[str, Any]]  # by id

    def of(self, person: Person) -> View:
        mine = list(self.held.get(person.id, ()))
        for category in person.categories:
            mine += [shown for shown in self.waiting.get(category, ()) if shown.ticket.learner_id != person.id]
        queue = [queue for category, queue in self.queues.items() if category in person.categories]
        slugs, me = {each["slug"] for each in queue}, str(person.id)
        return View(
            me=self.agents[me],
            tickets={shown.data["id"]: self._found(shown, person) for shown in mine},
            queue=queue,
            agents=[
                agent
                for id, agent in self.agents.items()
                if LEAD in person.permissions or id == me or slugs.intersection(agent["categories"])
            ],
        )

    def _found(self, shown: Shown, person: Person) -> Found:
        read_seq, unread = self.read.get((shown.ticket.id, person.id), (0, shown.ticket.head_seq))
        return shown.data, read_seq, unread


def read(people: Collection[Person], before: Snapshot | None = None) -> Snapshot:
    """What the desks of `people` show now. `before` spares making what is still the same."""
    users = [person.id for person in people]
    categories = list({category for person in people for category in person.categories})
    with connection.cursor() as cursor:
        cursor.execute(TICKETS, {"users": users, "categories": categories, "head": HEAD})
        ids = [row[0] for row in cursor.fetchall()]
        tickets = _shown(ids, before.tickets if before else {})
        cursor.execute(READ, {"tickets": ids, "users": users})
        reading = {(ticket, user): (read_seq, unread) for ticket, user, read_seq, unread in cursor.fetchall()}
        cursor.execute(QUEUES, {"categories": categories})
        queues = {queue["id"]: dict(QueueSerializer(queue).data) for queue in queries.dicts(cursor)}
    held: dict[uuid.UUID, list[Shown]] = {}
    waiting: dict[uuid.UUID, list[Shown]] = {}
    for shown in tickets.values():
        if shown.ticket.state == TicketState.QUEUED:
            waiting.setdefault(shown.ticket.category_id, []).append(shown)
        elif shown.ticket.assignee_id:
            held.setdefault(shown.ticket.assignee_id, []).append(shown)
    agents = AgentSerializer(queries.agents(also=users), many=True).data
    return Snapshot(
        people=frozenset(users),
        tickets=tickets,
        held=held,
        waiting=waiting,
        read=reading,
        queues=queues,
        agents={agent["id"]: agent for agent in agents},
    )


def _shown(ids: list[uuid.UUID], before: dict[uuid.UUID, Shown]) -> dict[uuid.UUID, Shown]:
    """In the order of `ids`. What did not change since `before` is the very same object."""
    serializer, fields = TicketSerializer(), Ticket._meta.concrete_fields
    tickets = Ticket.objects.annotate(for_agent=Value(True)).in_bulk(ids)
    found: dict[uuid.UUID, Shown] = {}
    for ticket in (tickets[id] for id in ids if id in tickets):
        row = tuple(getattr(ticket, field.attname) for field in fields)
        known = before.get(ticket.id)
        if known is None or known.row != row:
            known = Shown(ticket, row, serializer.to_representation(ticket))
        found[ticket.id] = known
    return found


def changes(before: View | None, now: View) -> Iterator[tuple[str, dict[str, Any]]]:
    """The frames, kind and content, that bring a desk from one view to another; None: from nothing."""
    if before is None:
        yield "welcome", now.me
    known = before.tickets if before else {}
    for ticket, found in now.tickets.items():
        if known.get(ticket) != found:
            data, read_seq, unread = found
            yield "ticket", data | {"read_seq": read_seq, "unread": unread}
    for ticket in known.keys() - now.tickets.keys():
        yield "gone", {"id": ticket}
    if before is None or before.queue != now.queue:
        yield "queue", {"categories": now.queue}
    if before is None or _lasting(before.agents) != _lasting(now.agents):
        yield "agents", {"agents": now.agents}


def _lasting(agents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leases are renewed every few seconds, which is no news."""
    return [agent | {"lease_until": None} for agent in agents]
