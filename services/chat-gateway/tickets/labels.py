"""What people say of a ticket: its agents' tags, its learner's rating."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.db import transaction
from django.utils import timezone

from tickets import events, queries
from tickets.errors import Invalid, NotFound, TicketErased, TicketNotClosed
from tickets.models import TAGS_MOST, Ticket, TicketState
from tickets.people import Person


def set_tags(person: Person, ticket_id: uuid.UUID, tags: list[str]) -> Ticket:
    """The ticket has these tags and no others. Raises NotFound, TicketErased."""
    return _retag(person, ticket_id, lambda _before: tags)


def change_tags(person: Person, ticket_id: uuid.UUID, add: list[str], remove: list[str]) -> Ticket:
    """Leaves alone what others did to its tags meanwhile. Raises NotFound, TicketErased, Invalid for more than TAGS_MOST."""
    return _retag(person, ticket_id, lambda before: list(dict.fromkeys([t for t in before if t not in remove] + add)))


def _retag(person: Person, ticket_id: uuid.UUID, tags_after: Callable[[list[str]], list[str]]) -> Ticket:
    with transaction.atomic():
        ticket = queries.ticket_to_answer(person, ticket_id, lock=True)
        if ticket.erased_at is not None:
            raise TicketErased
        ticket.tags = tags_after(ticket.tags)
        if len(ticket.tags) > TAGS_MOST:
            raise Invalid({"add": [f"A ticket has {TAGS_MOST} tags at most. Remove one first."]})
        ticket.save(update_fields=["tags"])
        events.publish_on_commit(events.TicketEvent(ticket.id, ticket.head_seq, changed=True))
    return ticket


def rate(person: Person, ticket_id: uuid.UUID, score: int, comment: str) -> Ticket:
    """The learner's word on a closed ticket, for the agent who had it last; again replaces it, for as long as it is closed.

    Raises NotFound for everybody else, TicketNotClosed.
    """
    with transaction.atomic():
        ticket = queries.ticket_for(person, ticket_id, lock=True)
        if ticket.learner_id != person.id:
            raise NotFound
        if ticket.state != TicketState.CLOSED:
            raise TicketNotClosed
        ticket.rating, ticket.rating_comment, ticket.rated_at = score, comment, timezone.now()
        ticket.rated_agent_id = ticket.previous_assignee_id
        ticket.save(update_fields=["rating", "rating_comment", "rated_at", "rated_agent_id"])
        events.publish_on_commit(events.TicketEvent(ticket.id, ticket.head_seq, changed=True))
    return ticket
