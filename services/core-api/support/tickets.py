"""Tickets, as chat-gateway publishes them (deploy/contracts.md). They are on PostgreSQL alone."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from accounts.models import User

TICKET = """
SELECT t.ticket_id, t.learner_id, t.lesson_id, t.order_id
  FROM chat_published.ticket t
  JOIN support_skill s ON s.category_id = t.category_id
 WHERE t.ticket_id = %s AND s.agent_id = %s
"""


@dataclass(frozen=True)
class Ticket:
    """What a ticket is about: whose it is, and the lesson or order that they named."""

    id: UUID
    learner: UUID
    lesson: UUID | None
    order: UUID | None


def ticket_of(agent: User, ticket: UUID) -> Ticket | None:
    """The ticket if it is of a category that the agent answers."""
    if not _published():
        return None
    with connection.cursor() as cursor:
        cursor.execute(TICKET, [ticket, agent.pk])
        row = cursor.fetchone()
    return Ticket(*row) if row else None


def _published() -> bool:
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege(to_regclass('chat_published.ticket'), 'SELECT')")
        return bool(cursor.fetchone()[0])
