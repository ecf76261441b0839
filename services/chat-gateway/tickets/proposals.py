"""What an agent proposes to core-api out of a ticket: a refund or an extension that somebody else decides."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, connection

from tickets import queries
from tickets.errors import ApprovalPending, Invalid, NothingToPropose, PermissionDenied, Problem
from tickets.people import Person

# core-api's published.propose, as deploy/contracts.md has it.
PROPOSE = "SELECT published.propose(%s, %s, %s, %s, %s, %s, %s)"


@dataclass(frozen=True)
class Proposal:
    kind: str  # refund, extension
    order_line: uuid.UUID
    reason: str
    days: int | None = None


def propose(agent: Person, ticket_id: uuid.UUID, proposal: Proposal) -> uuid.UUID:
    """The id of the approval that waits. The same proposal again is the same one.

    Raises NotFound (not one's ticket), PermissionDenied, Invalid, NothingToPropose, ApprovalPending.
    """
    ticket = queries.ticket_to_answer(agent, ticket_id)
    what = (ticket.id, agent.id, ticket.learner_id, proposal.kind, proposal.order_line, proposal.days, proposal.reason)
    try:
        with connection.cursor() as cursor:
            cursor.execute(PROPOSE, what)
            approval: uuid.UUID = cursor.fetchone()[0]
            return approval
    except DatabaseError as error:
        if refusal := _refusal(error):
            raise refusal from error
        raise


def proposed(agent: Person, ticket_id: uuid.UUID) -> list[dict[str, Any]]:
    """What was proposed out of the ticket, oldest first, and what became of it. Raises NotFound."""
    ticket = queries.ticket_to_answer(agent, ticket_id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM published.proposals(%s)", [ticket.id])
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _refusal(error: DatabaseError) -> Problem | None:
    match getattr(error.__cause__, "sqlstate", None):
        case "LC403":
            return PermissionDenied()
        case "LC404":
            return Invalid({"order_line": ["The learner has no such order line."]})
        case "LC409":
            return NothingToPropose()
        case "LC410":
            return ApprovalPending()
        case _:
            return None
