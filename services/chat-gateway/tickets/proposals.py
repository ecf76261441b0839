"""What an agent proposes to core-api out of a ticket: a refund or an extension that somebody else decides."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db import DatabaseError, connection

from tickets import queries
from tickets.errors import ApprovalPending, Invalid, NotFound, NothingToPropose, PermissionDenied, Problem
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
    ticket = queries.ticket_for(agent, ticket_id)
    if ticket.category_id not in agent.categories:
        raise NotFound  # one's own question, not one to answer
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
