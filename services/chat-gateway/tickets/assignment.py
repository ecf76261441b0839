"""Carries out rule.py: gives waiting tickets to agents, and takes back those of agents who are gone.

Everything that gives a ticket to somebody holds one lock, so the counted load is the true one and nobody gets above their
capacity but by a support lead's hand. Lock order: this lock, then tickets' rows in the order of their ids.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from tickets import events
from tickets.models import AgentStatus, Assignment, AssignmentReason, Ticket, TicketState
from tickets.rule import Agent, Waiting, plan

LEASE = timedelta(seconds=60)  # how long a sign of life counts
GRACE = timedelta(seconds=60)  # how much longer an agent who is gone keeps open tickets
TO_RETURN = 30.0  # seconds that agents, and every process, have to say who is there after a start or an outage
EVER = timedelta(days=36_500)  # that PostgreSQL can still count back
BATCH = 200  # tickets given by one statement
MOST = 1000  # tickets given in one transaction; then others have their turn at the lock

log = structlog.get_logger()

# One row for each category that somebody answers, with their open tickets. `present`: they keep those.
AGENTS = """
SELECT a.user_id, p.username, a.category_id, a.weight, a.capacity,
       coalesce(s.status = 'online' AND s.lease_until > clock_timestamp(), false) AS online, s.assigned_at,
       coalesce(s.lease_until > clock_timestamp() - %(grace)s::interval, false) AS present, coalesce(l.load, 0) AS load
  FROM published.support_agent a
  JOIN published.principal p ON p.user_id = a.user_id
  LEFT JOIN chat.agent_status s ON s.user_id = a.user_id
  LEFT JOIN (SELECT assignee_id, count(*) AS load FROM chat.ticket WHERE state = 'open' GROUP BY assignee_id) l
         ON l.assignee_id = a.user_id
 WHERE (%(category)s::uuid IS NULL OR a.category_id = %(category)s)
   AND (%(user)s::uuid IS NULL OR a.user_id = %(user)s)
"""

# Open tickets of everybody who is not among those that are present wait again, from when they first waited.
RELEASE = """
WITH absent AS (
    SELECT id FROM chat.ticket
     WHERE state = 'open'
       AND (assignee_id, category_id) NOT IN (SELECT * FROM unnest(%(agents)s::uuid[], %(categories)s::uuid[]))
     ORDER BY id FOR NO KEY UPDATE
), released AS (
    UPDATE chat.ticket t
       SET state = 'queued', previous_assignee_id = t.assignee_id, assignee_id = NULL, assignee_username = NULL
      FROM absent WHERE t.id = absent.id
    RETURNING t.id, t.head_seq, t.previous_assignee_id
), kept AS (
    INSERT INTO chat.assignment (ticket_id, reason) SELECT id, 'released' FROM released
)
SELECT id, head_seq, previous_assignee_id FROM released
"""

# The next tickets of the categories in which somebody has room, in the order of the queue. Where only one has room, their own
# questions are left out, so what is read can be given, whatever waits before it. The index ticket_waiting serves this.
NEXT = """
SELECT t.id, t.number, t.category_id, t.learner_id, t.previous_assignee_id, t.priority, t.queued_at
  FROM unnest(%(categories)s::uuid[], %(alone)s::uuid[]) free(category, alone)
 CROSS JOIN LATERAL (
       SELECT * FROM chat.ticket
        WHERE state = 'queued' AND category_id = free.category AND learner_id IS DISTINCT FROM free.alone
          AND (chat.place(queued_at, priority), number) > (%(place)s::timestamptz, %(number)s)
        ORDER BY chat.place(queued_at, priority), number LIMIT %(limit)s) t
 ORDER BY chat.place(t.queued_at, t.priority), t.number LIMIT %(limit)s
"""

# What was closed or moved since it was read is left alone.
GIVE = """
WITH wanted AS (
    SELECT * FROM unnest(%(tickets)s::uuid[], %(categories)s::uuid[], %(agents)s::uuid[], %(names)s::text[])
               w(ticket, category, agent, username)
), held AS (
    SELECT t.id FROM chat.ticket t JOIN wanted w ON w.ticket = t.id AND w.category = t.category_id
     WHERE t.state = 'queued' ORDER BY t.id FOR NO KEY UPDATE OF t
), given AS (
    UPDATE chat.ticket t SET state = 'open', assignee_id = w.agent, assignee_username = w.username
      FROM held, wanted w WHERE t.id = held.id AND w.ticket = t.id
    RETURNING t.id, t.assignee_id, t.head_seq
), turn AS (
    UPDATE chat.agent_status SET assigned_at = now() WHERE user_id IN (SELECT assignee_id FROM given)
), kept AS (
    INSERT INTO chat.assignment (ticket_id, agent_id, reason) SELECT id, assignee_id, 'assigned' FROM given
)
SELECT id, head_seq, assignee_id FROM given
"""


@dataclass(frozen=True, slots=True)
class Desk:
    """Who answers what, who is there, and how many open tickets each has. True until the commit, if the lock is held."""

    agents: list[Agent]
    present: set[tuple[uuid.UUID, uuid.UUID]]  # agent and category
    load: dict[uuid.UUID, int]

    def room(self) -> int:
        """How many more tickets could be given, were they of the right categories."""
        capacity = {agent.id: agent.capacity for agent in self.agents if agent.online and agent.weight > 0}
        return sum(max(bound - self.load[agent], 0) for agent, bound in capacity.items())

    def with_room(self) -> dict[uuid.UUID, set[uuid.UUID]]:
        """Who would take another ticket, by category."""
        found: dict[uuid.UUID, set[uuid.UUID]] = {}
        for agent in self.agents:
            if agent.online and agent.weight > 0 and agent.has_room(self.load):
                found.setdefault(agent.category_id, set()).add(agent.id)
        return found


def lock() -> None:
    """Until the transaction ends, nobody else assigns."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('chat.assignment'))")


_leases_count_from = 0.0  # by the monotonic clock


def give_time_to_return() -> None:
    """We, or the database, were away: for a while nobody is gone because their lease has ended, since it ended for everybody."""
    global _leases_count_from  # one moment for all threads of the process
    _leases_count_from = time.monotonic() + TO_RETURN


def read_desk(category: uuid.UUID | None = None, user: uuid.UUID | None = None) -> Desk:
    """Everybody's, or that of one category and agent."""
    desk = Desk([], set(), {})
    grace = GRACE if time.monotonic() >= _leases_count_from else EVER
    for *agent, present, load in _rows(AGENTS, category=category, user=user, grace=str(grace)):
        desk.agents.append(Agent(*agent))
        desk.load[agent[0]] = load
        if present:
            desk.present.add((agent[0], agent[2]))
    return desk


def _rows(statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def give(
    ticket: Ticket, agent: Agent, reason: AssignmentReason, actor: uuid.UUID, *, over_capacity: bool = False
) -> None:
    """`ticket`, whose row is locked, is `agent`'s now, by the hand of `actor`."""
    ticket.state, ticket.assignee_id, ticket.assignee_username = TicketState.OPEN, agent.id, agent.username
    ticket.save(update_fields=["state", "assignee_id", "assignee_username"])
    AgentStatus.objects.filter(user_id=agent.id).update(assigned_at=Now())
    record(ticket, reason, actor, over_capacity=over_capacity)


def record(ticket: Ticket, reason: AssignmentReason, actor: uuid.UUID | None, *, over_capacity: bool = False) -> None:
    """Keeps who has the ticket now and why, and tells whoever looks at it."""
    Assignment.objects.create(
        ticket=ticket, agent_id=ticket.assignee_id, actor_id=actor, reason=reason, over_capacity=over_capacity
    )
    events.publish_on_commit(events.TicketEvent(ticket.id, ticket.head_seq, changed=True))


def keep_present(user: uuid.UUID) -> None:
    """A sign of life. Somebody who was not there counts as away: they get nothing more by themselves."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO chat.agent_status AS known (user_id, status, lease_until) VALUES (%s, 'away', now() + %s::interval)
            ON CONFLICT (user_id) DO UPDATE SET lease_until = excluded.lease_until,
               status = CASE WHEN known.status = 'offline' OR known.lease_until <= now() THEN 'away' ELSE known.status END
            """,
            [user, str(LEASE)],
        )


def take_back(ticket: Ticket) -> None:
    """Leaves `ticket`, whose row is locked, without an agent; the caller says what state follows."""
    ticket.previous_assignee_id = ticket.assignee_id or ticket.previous_assignee_id
    ticket.assignee_id = ticket.assignee_username = None


def shut(ticket: Ticket, reason: AssignmentReason, actor: uuid.UUID | None) -> None:
    """Closes `ticket`, whose row is locked."""
    take_back(ticket)
    ticket.state, ticket.closed_at = TicketState.CLOSED, timezone.now()
    ticket.closes_at = ticket.closes_seq = None
    ticket.save(
        update_fields=[
            *("assignee_id", "assignee_username", "previous_assignee_id", "state", "closed_at"),
            *("closes_at", "closes_seq"),
        ]
    )
    record(ticket, reason, actor)


def assign_waiting() -> int:
    """Takes back what absent agents hold, and gives waiting tickets to those who have room; how many were given."""
    given = 0
    while True:
        with transaction.atomic():
            lock()
            desk = read_desk()
            _release_absent(desk)
            now_given = _give_next(desk)
        given += now_given
        if now_given < MOST:
            return given


def _release_absent(desk: Desk) -> None:
    """Tickets of agents who are gone, or serve the category no more."""
    agents, categories = zip(*desk.present, strict=True) if desk.present else ((), ())
    for ticket, seq, agent in _rows(RELEASE, agents=list(agents), categories=list(categories)):
        if agent in desk.load:
            desk.load[agent] -= 1
        events.publish_on_commit(events.TicketEvent(ticket, seq, changed=True))


def _give_next(desk: Desk) -> int:
    """One walk through the queue: rooms only shrink meanwhile, so what was passed over needs no second look."""
    place, number, given = datetime.min.replace(tzinfo=UTC), 0, 0
    while given < MOST and (free := desk.with_room()):
        alone = [next(iter(agents)) if len(agents) == 1 else None for agents in free.values()]
        limit = min(BATCH, desk.room())
        rows = _rows(NEXT, categories=list(free), alone=alone, place=place, number=number, limit=limit)
        waiting = [Waiting(*row) for row in rows]
        if not waiting:
            break
        given += _give(plan(waiting, desk.agents, desk.load), desk.load)
        place, number = waiting[-1].place
    return given


def _give(planned: Sequence[tuple[Waiting, Agent]], load: dict[uuid.UUID, int]) -> int:
    rows = _rows(
        GIVE,
        tickets=[ticket.id for ticket, _ in planned],
        categories=[ticket.category_id for ticket, _ in planned],
        agents=[agent.id for _, agent in planned],
        names=[agent.username for _, agent in planned],
    )
    for ticket, seq, agent in rows:
        load[agent] += 1
        events.publish_on_commit(events.TicketEvent(ticket, seq, changed=True))
    return len(rows)


def assign_soon() -> None:
    """`assign_waiting` after something was committed that stands in any case: the sweep makes up for a failure."""
    try:
        assign_waiting()
    except OperationalError as error:
        log.warning("assignment_postponed", exc_info=error)
