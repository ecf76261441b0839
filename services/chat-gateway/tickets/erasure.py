"""Erases here whom core-api has erased: their texts and names go, numbers, times and ids stay (deploy/design.md, section 11).

`published.principal.erased_at` is the fact; a notification only says "look now", and the sweep makes up for a lost one.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import connection, transaction
from django.utils import timezone

from tickets import assignment, attachments
from tickets.models import (
    AgentStatus,
    AssignmentReason,
    Attachment,
    ConnectTicket,
    Erasure,
    Message,
    Note,
    ReadCursor,
    Ticket,
    TicketState,
    UnreadMail,
)

# Whoever was let in just before the erasure may still be writing (a new ticket, a name in somebody else's): a second pass
# takes what came after the first one, once nothing of it can be on its way any more.
SETTLED_AFTER = timedelta(minutes=1)

# An index of core's on erased_at serves this. A newer erased_at than the one known is a new erasure.
PENDING = """
SELECT p.user_id, p.username, p.erased_at, p.erased_at <= now() - %(settled_after)s::interval AS settled
  FROM published.principal p
  LEFT JOIN chat.erasure e ON e.user_id = p.user_id AND e.erased_at = p.erased_at
 WHERE p.erased_at IS NOT NULL
   AND (e.user_id IS NULL OR NOT e.settled AND p.erased_at <= now() - %(settled_after)s::interval)
 ORDER BY p.erased_at
"""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ErasedPerson:
    """`alias` is the name that core gives them now."""

    id: uuid.UUID
    alias: str
    erased_at: datetime
    settled: bool


def erase_pending(settled_after: timedelta = SETTLED_AFTER) -> int:
    """Erases everybody whose turn it is, each in a transaction of their own; how many. Several at once do no harm."""
    people = pending(settled_after)
    for person in people:
        erase(person)
    if people:
        assignment.assign_soon()  # closed tickets leave room, and an erased agent's wait for another one
    return len(people)


def pending(settled_after: timedelta = SETTLED_AFTER) -> list[ErasedPerson]:
    with connection.cursor() as cursor:
        cursor.execute(PENDING, {"settled_after": str(settled_after)})
        return [ErasedPerson(*row) for row in cursor.fetchall()]


@transaction.atomic
def erase(person: ErasedPerson) -> None:
    """Everything that is kept about one person, in one transaction. Again does no harm.

    Their tickets are closed first, each under its row's lock: a message that is being written is committed before, and
    emptied below, or finds the ticket closed; likewise a note, which finds it erased.
    """
    assignment.lock()  # lock order as everywhere: this, then tickets' rows
    if Erasure.objects.filter(user_id=person.id, erased_at=person.erased_at, settled=True).exists():
        return  # another process was here while this one waited
    for ticket in Ticket.objects.select_for_update(no_key=True).filter(learner_id=person.id).order_by("number"):
        _erase_ticket(ticket, person)
    now = timezone.now()
    for texts in (Message, Note):
        texts.objects.filter(ticket__learner_id=person.id, erased_at__isnull=True).update(
            body="", client_id=None, erased_at=now
        )
        texts.objects.filter(sender_id=person.id).exclude(sender_username=person.alias).update(
            sender_username=person.alias
        )
    Message.objects.filter(ticket__learner_id=person.id, attachment__isnull=False).update(attachment=None)
    attachments.remove(Attachment.objects.filter(ticket__learner_id=person.id))
    attachments.remove(attachments.unsent().filter(uploader_id=person.id))
    for model in (ReadCursor, UnreadMail, ConnectTicket, AgentStatus):
        model.objects.filter(user_id=person.id).delete()
    Erasure.objects.update_or_create(
        user_id=person.id, defaults={"erased_at": person.erased_at, "settled": person.settled}
    )
    log.info("person_erased", user=str(person.id), settled=person.settled)


def _erase_ticket(ticket: Ticket, person: ErasedPerson) -> None:
    if ticket.state != TicketState.CLOSED:
        assignment.shut(ticket, AssignmentReason.CLOSED, None)
    if ticket.erased_at is None:
        ticket.erased_at = timezone.now()
        ticket.learner_username, ticket.subject, ticket.client_id = person.alias, "", None
        ticket.rating_comment, ticket.tags = "", []
        ticket.save()
