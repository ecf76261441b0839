"""Who gets which ticket: online, of its category, with room, least loaded for their weight; the oldest ticket first.

`choose` is the rule. Everything that gives a ticket to somebody holds one lock, so the counted load is the true one and
nobody gets above their capacity. Lock order: this lock, then the ticket's row.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now

from tickets import events
from tickets.models import AgentStatus, Assignment, AssignmentReason, Ticket, TicketState

LEASE = timedelta(seconds=60)  # how long a sign of life counts
GRACE = timedelta(seconds=60)  # how much longer an agent who is gone keeps open tickets
BATCH = 100
NEVER = datetime.min.replace(tzinfo=UTC)

log = structlog.get_logger()


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


def choose(agents: Iterable[Agent], load: Mapping[uuid.UUID, int], preferred: uuid.UUID | None = None) -> Agent | None:
    """The agent for a ticket that all `agents` may have: the preferred one, else the least loaded for their weight.

    Equals take turns. Weight 0 means: nothing by itself (but by claim and transfer). None: nobody has room.
    """
    free = [agent for agent in agents if agent.weight > 0 and agent.has_room(load)]
    for agent in free:
        if agent.id == preferred:
            return agent
    return min(
        free,
        key=lambda agent: ((load.get(agent.id, 0) + 1) / agent.weight, agent.assigned_at or NEVER, agent.id),
        default=None,
    )


def lock() -> None:
    """Until the transaction ends, nobody else assigns."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('chat.assignment'))")


def agents_of(category: uuid.UUID | None = None, user: uuid.UUID | None = None) -> list[Agent]:
    """Who answers tickets, of one category or of all; one row for each category that somebody answers."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a.user_id, p.username, a.category_id, a.weight, a.capacity,
                   coalesce(s.status = 'online' AND s.lease_until > now(), false), s.assigned_at
              FROM published.support_agent a
              JOIN published.principal p ON p.user_id = a.user_id AND p.is_active
              LEFT JOIN chat.agent_status s ON s.user_id = a.user_id
             WHERE (%(category)s::uuid IS NULL OR a.category_id = %(category)s)
               AND (%(user)s::uuid IS NULL OR a.user_id = %(user)s)
            """,
            {"category": category, "user": user},
        )
        return [Agent(*row) for row in cursor.fetchall()]


def loads() -> dict[uuid.UUID, int]:
    """How many open tickets each agent has. True until the transaction ends, if the lock is held."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT assignee_id, count(*) FROM chat.ticket WHERE state = 'open' GROUP BY assignee_id")
        return dict(cursor.fetchall())


def give(ticket: Ticket, agent: Agent, reason: AssignmentReason, actor: uuid.UUID | None = None) -> None:
    """`ticket`, whose row is locked, is `agent`'s now."""
    ticket.state, ticket.assignee_id, ticket.assignee_username = TicketState.OPEN, agent.id, agent.username
    ticket.save(update_fields=["state", "assignee_id", "assignee_username"])
    AgentStatus.objects.filter(user_id=agent.id).update(assigned_at=Now())
    record(ticket, reason, actor)


def record(ticket: Ticket, reason: AssignmentReason, actor: uuid.UUID | None) -> None:
    """Keeps who has the ticket now and why, and tells whoever looks at it."""
    Assignment.objects.create(ticket=ticket, agent_id=ticket.assignee_id, actor_id=actor, reason=reason)
    events.publish_on_commit(events.TicketEvent(ticket.id, ticket.head_seq, changed=True))


def keep_present(user: uuid.UUID) -> None:
    """A sign of life. Somebody who was not there counts as away: they get nothing more by themselves."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO chat.agent_status AS known (user_id, status, lease_until) VALUES (%s, 'away', now() + %s::interval)
            ON CONFLICT (user_id) DO UPDATE SET lease_until = excluded.lease_until,
               status = CASE WHEN known.status = 'offline' THEN 'away' ELSE known.status END
            """,
            [user, str(LEASE)],
        )


def take_back(ticket: Ticket) -> None:
    """Leaves `ticket`, whose row is locked, without an agent; the caller says what state follows."""
    ticket.previous_assignee_id = ticket.assignee_id or ticket.previous_assignee_id
    ticket.assignee_id = ticket.assignee_username = None


def release_absent() -> None:
    """Tickets of agents who are gone, or serve the category no more, wait again, from when they first waited."""
    orphaned = Ticket.objects.raw(
        """
        SELECT t.* FROM chat.ticket t
         WHERE t.state = 'open'
           AND (NOT EXISTS (SELECT FROM chat.agent_status s
                             WHERE s.user_id = t.assignee_id AND s.lease_until > now() - %s::interval)
             OR NOT EXISTS (SELECT FROM published.support_agent a
                             WHERE a.user_id = t.assignee_id AND a.category_id = t.category_id))
         ORDER BY t.queued_at, t.number FOR NO KEY UPDATE OF t
        """,
        [str(GRACE)],
    )
    for ticket in orphaned:
        take_back(ticket)
        ticket.state = TicketState.QUEUED
        ticket.save(update_fields=["state", "assignee_id", "assignee_username", "previous_assignee_id"])
        record(ticket, AssignmentReason.RELEASED, None)


def assign_waiting() -> int:
    """Gives waiting tickets, oldest first, to agents who have room; how many. One transaction."""
    given = 0
    with transaction.atomic():
        lock()
        release_absent()
        agents, load = [agent for agent in agents_of() if agent.online], loads()
        while categories := {agent.category_id for agent in agents if agent.weight > 0 and agent.has_room(load)}:
            waiting = (
                Ticket.objects.filter(state=TicketState.QUEUED, category_id__in=categories)
                .order_by("queued_at", "number")
                .select_for_update(no_key=True)[:BATCH]
            )
            assigned = _assign(list(waiting), agents, load)
            given += assigned
            if not assigned:
                break
    return given


def _assign(waiting: list[Ticket], agents: list[Agent], load: dict[uuid.UUID, int]) -> int:
    given = 0
    for ticket in waiting:
        suitable = [a for a in agents if a.category_id == ticket.category_id and a.id != ticket.learner_id]
        if agent := choose(suitable, load, ticket.previous_assignee_id):
            give(ticket, agent, AssignmentReason.ASSIGNED)
            load[agent.id] = load.get(agent.id, 0) + 1
            given += 1
    return given


def assign_soon() -> None:
    """`assign_waiting` after something was committed that stands in any case: the sweep makes up for a failure."""
    try:
        assign_waiting()
    except OperationalError as error:
        log.warning("assignment_postponed", exc_info=error)
