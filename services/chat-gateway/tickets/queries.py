"""Reads that span tables, and the facts that core-api publishes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import Case, Count, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce

from tickets import sql
from tickets.errors import NotFound
from tickets.models import Message, ReadCursor, Ticket
from tickets.people import Person


def visible_to(person: Person) -> QuerySet[Ticket]:
    """A person's own tickets, and those of the categories they answer; with how far they have read (`read_seq`), how many
    messages of others are beyond that (`unread`), and whether they see what is between its agents (`for_agent`)."""
    cursors = ReadCursor.objects.filter(ticket=OuterRef("pk"), user_id=person.id).values("seq")
    theirs = Message.objects.filter(ticket=OuterRef("pk"), seq__gt=OuterRef("read_seq")).exclude(sender_id=person.id)
    unread = theirs.order_by().values("ticket").annotate(count=Count("pk")).values("count")
    seen = Q(learner_id=person.id) | Q(category_id__in=person.categories)
    answers = Case(When(answered_by(person), then=True), default=False)
    return (
        Ticket.objects.filter(seen)
        .annotate(read_seq=Coalesce(Subquery(cursors), 0), for_agent=answers)
        .annotate(unread=Coalesce(Subquery(unread), 0))
    )


def answered_by(person: Person) -> Q:
    """Person.answers, for a queryset."""
    return Q(category_id__in=person.categories) & ~Q(learner_id=person.id)


def ticket_for(person: Person, ticket_id: uuid.UUID, *, lock: bool = False) -> Ticket:
    """The ticket if the person may see it; NotFound for a foreign and an unknown one alike. `lock`: its row, until commit."""
    tickets = visible_to(person)
    if lock:
        tickets = tickets.select_for_update(no_key=True, of=("self",))
    ticket = tickets.filter(pk=ticket_id).first()
    if ticket is None:
        raise NotFound
    return ticket


def ticket_to_answer(person: Person, ticket_id: uuid.UUID, *, lock: bool = False) -> Ticket:
    """The ticket if the person is an agent of its category, and not the one who asks; NotFound else."""
    ticket = ticket_for(person, ticket_id, lock=lock)
    if not person.answers(ticket):
        raise NotFound
    return ticket


def notes_after(ticket_id: uuid.UUID, after: int, limit: int) -> list[sql.NoteRow]:
    with connection.cursor() as cursor:
        cursor.execute(sql.NOTES_AFTER, {"ticket": ticket_id, "after": after, "limit": limit})
        return [sql.NoteRow(*row) for row in cursor.fetchall()]


def messages_after(ticket_id: uuid.UUID, after: int, limit: int) -> list[sql.MessageRow]:
    with connection.cursor() as cursor:
        cursor.execute(sql.MESSAGES_AFTER, {"ticket": ticket_id, "after": after, "limit": limit})
        return [sql.MessageRow(*row) for row in cursor.fetchall()]


def categories() -> list[dict[str, Any]]:
    """Those that a ticket may be opened in, in core's order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT category_id, name, slug FROM published.support_category WHERE is_active ORDER BY position, name"
        )
        return [{"id": row[0], "name": row[1], "slug": row[2]} for row in cursor.fetchall()]


def canned_answers(person: Person, category: str | None = None) -> list[dict[str, Any]]:
    """Those for all tickets, and those of the categories that the person answers, or of `category` (a slug) alone."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a.canned_answer_id, a.shortcut, a.title, a.text, c.slug
              FROM published.canned_answer a LEFT JOIN published.support_category c ON c.category_id = a.category_id
             WHERE a.category_id IS NULL
                OR a.category_id = ANY(%s) AND coalesce(c.slug = %s, true)
             ORDER BY a.shortcut
            """,
            [list(person.categories), category or None],
        )
        names = ("id", "shortcut", "title", "text", "category")
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def category(slug: str) -> tuple[uuid.UUID, int] | None:
    """Its id, and the priority of its new tickets, if tickets may be opened in it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT category_id, priority FROM published.support_category WHERE slug = %s AND is_active", [slug]
        )
        found: tuple[uuid.UUID, int] | None = cursor.fetchone()
        return found


def lesson_exists(lesson: uuid.UUID) -> bool:
    return _one("SELECT lesson_id FROM published.lesson WHERE lesson_id = %s", [lesson]) is not None


def order_belongs_to(order: uuid.UUID, person: Person) -> bool:
    found = _one('SELECT order_id FROM published."order" WHERE order_id = %s AND user_id = %s', [order, person.id])
    return found is not None


def _one(statement: str, parameters: list[Any]) -> uuid.UUID | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
        return row[0] if row else None


AGENTS = """
SELECT p.user_id AS id, p.username, p.name,
       CASE WHEN s.lease_until > now() THEN s.status ELSE 'offline' END AS status,
       s.lease_until,
       coalesce(max(a.capacity), 0) AS capacity,
       (SELECT count(*) FROM chat.ticket t WHERE t.assignee_id = p.user_id AND t.state = 'open') AS open_tickets,
       array_remove(array_agg(c.slug ORDER BY c.position), NULL) AS categories
  FROM published.principal p
  LEFT JOIN published.support_agent a ON a.user_id = p.user_id
  LEFT JOIN published.support_category c ON c.category_id = a.category_id
  LEFT JOIN chat.agent_status s ON s.user_id = p.user_id
 WHERE p.user_id = ANY(%(also)s) OR %(everybody)s AND a.user_id IS NOT NULL
 GROUP BY p.user_id, p.username, p.name, s.status, s.lease_until
 ORDER BY p.username
"""


def agents(also: Sequence[uuid.UUID] = (), *, everybody: bool = True) -> list[dict[str, Any]]:
    """Every agent: whether they are there, their load and what they answer. `also`: people who may answer nothing yet."""
    with connection.cursor() as cursor:
        cursor.execute(AGENTS, {"also": list(also), "everybody": everybody})
        return dicts(cursor)


def dicts(cursor: Any) -> list[dict[str, Any]]:
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


ASSIGNMENTS = """
SELECT a.reason, a.agent_id, agent.username AS agent, a.actor_id, actor.username AS actor, a.over_capacity, a.at
  FROM chat.assignment a
  LEFT JOIN published.principal agent ON agent.user_id = a.agent_id
  LEFT JOIN published.principal actor ON actor.user_id = a.actor_id
 WHERE a.ticket_id = %s
 ORDER BY a.id DESC
"""


def assignments(ticket_id: uuid.UUID) -> list[dict[str, Any]]:
    """Who had the ticket, why, and by whose hand; newest first."""
    with connection.cursor() as cursor:
        cursor.execute(ASSIGNMENTS, [ticket_id])
        return dicts(cursor)


def agent(person: Person) -> dict[str, Any]:
    return agents([person.id], everybody=False)[0]
