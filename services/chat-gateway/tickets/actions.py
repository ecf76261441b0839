"""Every write that spans rows, each in one transaction. Sockets are told after the commit (events.py)."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from psycopg.errors import ForeignKeyViolation, UniqueViolation

from tickets import assignment, events, queries, sql
from tickets.errors import (
    AgentAbsent,
    AlreadyAssigned,
    AtCapacity,
    AttachmentNotReady,
    Invalid,
    NotFound,
    PermissionDenied,
    TicketClosed,
    TicketErased,
)
from tickets.models import (
    AgentStatus,
    AssignmentReason,
    ConnectTicket,
    Presence,
    Priority,
    Ticket,
    TicketState,
    new_id,
)
from tickets.people import ANSWER, LEAD, Person
from tickets.rule import Agent

CONNECT_TICKET_LIFETIME = timedelta(seconds=30)
ASSIGNEE_FIELDS = ["assignee_id", "assignee_username", "previous_assignee_id"]


@dataclass(frozen=True, slots=True)
class NewTicket:
    """What a learner asks; `category` is a slug, `client_id` makes a repeated request find the first ticket again."""

    category: str
    subject: str
    message: str
    lesson: uuid.UUID | None = None
    order: uuid.UUID | None = None
    client_id: str | None = None


def create_ticket(person: Person, new: NewTicket) -> Ticket:
    """Opens a ticket with its first message and looks for an agent. Raises Invalid with the fields that do not fit."""
    category, priority = check_new_ticket(person, new)
    try:
        with transaction.atomic():
            ticket = Ticket.objects.create(
                category_id=category,
                category_slug=new.category,
                priority=priority,
                learner_id=person.id,
                learner_username=person.username,
                client_id=new.client_id,
                subject=new.subject,
                lesson_id=new.lesson,
                order_id=new.order,
            )
            append_message(person, ticket.id, new.message, new.client_id)
            events.publish_on_commit(events.TicketEvent(ticket.id, 1, changed=True))  # to desks, which know it not yet
    except IntegrityError as error:
        if not is_repeated(error):
            raise
        ticket = Ticket.objects.get(learner_id=person.id, client_id=new.client_id)
    assignment.assign_soon()
    return queries.ticket_for(person, ticket.id)


def check_new_ticket(person: Person, new: NewTicket) -> tuple[uuid.UUID, int]:
    """The category's id and priority. Foreign and unknown lessons and orders are refused alike."""
    errors: dict[str, list[str]] = {}
    category = queries.category(new.category)
    if category is None:
        errors["category"] = ["There is no such category."]
    if new.lesson and not queries.lesson_exists(new.lesson):
        errors["lesson"] = ["There is no such lesson."]
    if new.order and not queries.order_belongs_to(new.order, person):
        errors["order"] = ["You have no such order."]
    if errors or category is None:
        raise Invalid(errors)
    return category


def message_parameters(
    person: Person, ticket: uuid.UUID, body: str, client_id: str | None, attachment: uuid.UUID | None = None
) -> dict[str, Any]:
    """For sql.APPEND_MESSAGE and sql.FIND_MESSAGE, from REST and from WebSockets alike."""
    return {
        "id": new_id(),
        "ticket": ticket,
        "client_id": client_id,
        "sender": person.id,
        "username": person.username,
        "categories": list(person.categories),
        "body": body,
        "attachment": attachment,
    }


def read_parameters(person: Person, ticket: uuid.UUID, seq: int) -> dict[str, Any]:
    """For sql.MARK_READ."""
    return {"ticket": ticket, "user": person.id, "categories": list(person.categories), "seq": seq}


def append_message(
    person: Person, ticket_id: uuid.UUID, body: str, client_id: str | None, attachment: uuid.UUID | None = None
) -> sql.MessageRow:
    """The message as kept; for a client id used before, the first one. Raises NotFound, TicketClosed, AttachmentNotReady."""
    parameters = message_parameters(person, ticket_id, body, client_id, attachment)
    cause: IntegrityError | None = None
    try:
        with transaction.atomic():
            row = _row(sql.APPEND_MESSAGE, parameters)
            if row:
                events.publish_on_commit(events.TicketEvent(ticket_id, row.seq))
                return row
    except IntegrityError as error:
        if not (is_repeated(error) or isinstance(error.__cause__, ForeignKeyViolation)):
            raise
        cause = error
    if row := _row(sql.FIND_MESSAGE, parameters):
        return row
    queries.ticket_for(person, ticket_id)
    if cause:
        raise AttachmentNotReady from cause
    raise TicketClosed


def is_repeated(error: IntegrityError) -> bool:
    """The client id was used before: the same request again, or its twin at the same time. Nothing was changed."""
    return isinstance(error.__cause__, UniqueViolation)


def _row(statement: str, parameters: dict[str, Any]) -> sql.MessageRow | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
        return sql.MessageRow(*row) if row else None


def mark_read(person: Person, ticket_id: uuid.UUID, seq: int) -> Ticket:
    """Moves the person's read mark forward to `seq`, never back."""
    ticket = queries.ticket_for(person, ticket_id)
    if seq > ticket.head_seq:
        raise Invalid({"seq": ["There is no such message yet."]})
    with connection.cursor() as cursor:
        cursor.execute(sql.MARK_READ, read_parameters(person, ticket_id, seq))
        if moved := cursor.fetchone():
            events.publish_on_commit(events.Signal("read", ticket_id, person.id, person.username, moved[0]))
    return queries.ticket_for(person, ticket_id)


def close_ticket(person: Person, ticket_id: uuid.UUID) -> Ticket:
    """Closes it, whoever of its people asks; again does nothing. Frees a place for a waiting ticket."""
    with transaction.atomic():
        ticket = queries.ticket_for(person, ticket_id, lock=True)
        if ticket.state != TicketState.CLOSED:
            assignment.shut(ticket, AssignmentReason.CLOSED, person.id)
    assignment.assign_soon()
    return ticket


def reopen_ticket(person: Person, ticket_id: uuid.UUID) -> Ticket:
    """A closed ticket waits anew, preferring the agent it had. One that is not closed stays as it is. Raises TicketErased."""
    with transaction.atomic():
        ticket = queries.ticket_for(person, ticket_id, lock=True)
        if ticket.erased_at is not None:
            raise TicketErased
        if ticket.state == TicketState.CLOSED:
            ticket.state, ticket.closed_at, ticket.queued_at = TicketState.QUEUED, None, timezone.now()
            ticket.save(update_fields=["state", "closed_at", "queued_at"])
            assignment.record(ticket, AssignmentReason.REOPENED, person.id)
    assignment.assign_soon()
    return queries.ticket_for(person, ticket_id)


def claim_ticket(person: Person, ticket_id: uuid.UUID) -> Ticket:
    """The agent takes a waiting ticket of their categories; a lead also beyond their capacity.

    Raises AlreadyAssigned, AtCapacity or TicketClosed.
    """
    with transaction.atomic():
        assignment.lock()
        ticket = _workable(person, ticket_id)
        if ticket.assignee_id == person.id:
            return ticket
        if ticket.assignee_id:
            raise AlreadyAssigned
        desk = assignment.read_desk(ticket.category_id, person.id)
        agent = _suitable(desk, ticket)
        if agent is None:
            raise PermissionDenied  # any more
        assignment.keep_present(person.id)
        _hand_over(ticket, agent, desk, AssignmentReason.CLAIMED, person)
    return ticket


def transfer_to_agent(person: Person, ticket_id: uuid.UUID, agent_id: uuid.UUID) -> Ticket:
    """Hands the ticket to an agent of its category; a lead also beyond that one's capacity.

    Raises AgentAbsent, AtCapacity, TicketClosed or Invalid.
    """
    with transaction.atomic():
        assignment.lock()
        ticket = _workable(person, ticket_id)
        if ticket.assignee_id == agent_id:
            return ticket
        desk = assignment.read_desk(ticket.category_id, agent_id)
        agent = _suitable(desk, ticket)
        if agent is None:
            raise Invalid({"agent": ["This agent does not answer tickets of this category."]})
        if not agent.online:
            raise AgentAbsent
        _hand_over(ticket, agent, desk, AssignmentReason.TRANSFERRED, person)
    assignment.assign_soon()
    return ticket


def transfer_to_category(person: Person, ticket_id: uuid.UUID, slug: str) -> Ticket:
    """Moves the ticket to another category's queue, with its waiting time kept."""
    with transaction.atomic():
        ticket = _workable(person, ticket_id)
        found = queries.category(slug)
        if found is None:
            raise Invalid({"category": ["There is no such category."]})
        category, _ = found
        if category == ticket.category_id:
            return ticket
        assignment.take_back(ticket)
        ticket.state, ticket.previous_assignee_id = TicketState.QUEUED, None
        ticket.category_id, ticket.category_slug = category, slug
        ticket.save(update_fields=[*ASSIGNEE_FIELDS, "state", "category_id", "category_slug"])
        assignment.record(ticket, AssignmentReason.TRANSFERRED, person.id)
    assignment.assign_soon()
    return Ticket.objects.get(pk=ticket_id)  # the person may not see it any more


def _workable(person: Person, ticket_id: uuid.UUID) -> Ticket:
    """The locked ticket, which must be of a category that the person answers, not their own question, and not closed."""
    ticket = queries.ticket_for(person, ticket_id, lock=True)
    if ticket.category_id not in person.categories:
        raise NotFound
    if not person.answers(ticket):
        raise PermissionDenied
    if ticket.state == TicketState.CLOSED:
        raise TicketClosed
    return ticket


def prioritise(person: Person, ticket_id: uuid.UUID, priority: Priority) -> Ticket:
    """Gives the ticket another priority, and so another place when it waits. Raises TicketClosed."""
    with transaction.atomic():
        ticket = _workable(person, ticket_id)
        if ticket.priority != priority:
            ticket.priority = priority
            ticket.save(update_fields=["priority"])
            assignment.record(ticket, AssignmentReason.PRIORITISED, person.id)
    return ticket


def _suitable(desk: assignment.Desk, ticket: Ticket) -> Agent | None:
    """The agent of whom `desk` is, if they answer the ticket's category, and it is not their own."""
    return desk.agents[0] if desk.agents and desk.agents[0].id != ticket.learner_id else None


def _hand_over(ticket: Ticket, agent: Agent, desk: assignment.Desk, reason: AssignmentReason, actor: Person) -> None:
    """The assignment lock must have been held when `desk` was read, so that the load counted there is the true one."""
    full = not agent.has_room(desk.load)
    if full and LEAD not in actor.permissions:
        raise AtCapacity
    assignment.take_back(ticket)
    ticket.save(update_fields=["previous_assignee_id"])
    assignment.give(ticket, agent, reason, actor.id, over_capacity=full)


def set_status(person: Person, status: Presence) -> None:
    """The agent says whether they are there, for the next LEASE. Offline: their open tickets wait for the grace to pass."""
    lease = timedelta(0) if status == Presence.OFFLINE else assignment.LEASE
    with transaction.atomic():
        AgentStatus.objects.update_or_create(
            user_id=person.id, defaults={"status": status, "lease_until": timezone.now() + lease}
        )
        events.publish_on_commit(events.AGENTS_CHANGED)
    if status == Presence.ONLINE:
        assignment.assign_soon()


def hashed(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def issue_connect_ticket(person: Person, ticket_id: uuid.UUID | None) -> tuple[str, datetime]:
    """A secret that opens one WebSocket once, to this ticket or (None) to the desk, and until when."""
    if ticket_id is None and ANSWER not in person.permissions:
        raise PermissionDenied
    ticket = queries.ticket_for(person, ticket_id) if ticket_id else None
    secret = secrets.token_urlsafe(32)
    token_ends = datetime.fromtimestamp(person.claims.expires_at, UTC)
    expires_at = min(timezone.now() + CONNECT_TICKET_LIFETIME, token_ends)
    ConnectTicket.objects.create(
        secret_hash=hashed(secret),
        ticket=ticket,
        user_id=person.id,
        username=person.username,
        generation=person.claims.generation,
        session_id=person.claims.session,
        token_expires_at=token_ends,
        expires_at=expires_at,
    )
    return secret, expires_at
