"""Tickets. The database holds the rules: open = assigned, closed = with a time, rated only by marks that there are."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Now

from tickets.models.words import (
    CLIENT_ID_MAX_LENGTH,
    SUBJECT_MAX_LENGTH,
    TAG_MAX_LENGTH,
    TAGS_MOST,
    Priority,
    TicketState,
    new_id,
)

PLACE = Func(F("queued_at"), F("priority"), function="chat.place")  # in the queue, as tickets/rule.py has it


class Ticket(models.Model):
    """One request for help and its conversation. `head_seq` is the newest message's number, and so how many there are."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = models.BigIntegerField(
        unique=True, editable=False, db_default=Func(Value("chat.ticket_number"), function="nextval")
    )
    category_id = models.UUIDField()
    category_slug = models.CharField(max_length=100)
    learner_id = models.UUIDField()
    learner_username = models.CharField(max_length=150)
    client_id = models.CharField(max_length=CLIENT_ID_MAX_LENGTH, null=True)
    subject = models.CharField(max_length=SUBJECT_MAX_LENGTH)
    lesson_id = models.UUIDField(null=True)
    order_id = models.UUIDField(null=True)
    state = models.CharField(max_length=10, choices=TicketState.choices, default=TicketState.QUEUED)
    assignee_id = models.UUIDField(null=True)
    assignee_username = models.CharField(max_length=150, null=True)
    previous_assignee_id = models.UUIDField(null=True)  # preferred when the ticket waits again
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, db_default=Priority.NORMAL)
    head_seq = models.BigIntegerField(default=0)
    head_note_seq = models.BigIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now())
    queued_at = models.DateTimeField(db_default=Now())  # waiting since; kept when an agent goes away
    closed_at = models.DateTimeField(null=True)
    closes_at = models.DateTimeField(null=True)  # by itself, unless somebody writes: see tickets/idle.py
    closes_seq = models.BigIntegerField(null=True)  # the newest message when that was told
    first_response_at = models.DateTimeField(null=True)  # an agent's first message; tickets/sql.py writes it
    first_response_by_id = models.UUIDField(null=True)
    tags = ArrayField(models.CharField(max_length=TAG_MAX_LENGTH), default=list, db_default=Value("{}"))
    rating = models.SmallIntegerField(null=True)  # the learner's, 1 to 5
    rating_comment = models.TextField(default="", db_default="")
    rated_at = models.DateTimeField(null=True)
    rated_agent_id = models.UUIDField(null=True)  # who had it when it was closed
    erased_at = models.DateTimeField(null=True)  # its learner is erased: no text is left, and it stays closed

    class Meta:
        db_table = "ticket"
        constraints = [
            models.CheckConstraint(name="ticket_state_known", condition=Q(state__in=TicketState.values)),
            models.CheckConstraint(
                name="ticket_open_has_assignee",
                condition=Q(state="open", assignee_id__isnull=False) | ~Q(state="open") & Q(assignee_id__isnull=True),
            ),
            models.CheckConstraint(
                name="ticket_assignee_named",
                condition=Q(assignee_id__isnull=True, assignee_username__isnull=True)
                | Q(assignee_id__isnull=False, assignee_username__isnull=False),
            ),
            models.CheckConstraint(
                name="ticket_closed_has_time",
                condition=Q(state="closed", closed_at__isnull=False) | ~Q(state="closed") & Q(closed_at__isnull=True),
            ),
            models.CheckConstraint(
                name="ticket_erased_stays_closed", condition=Q(erased_at__isnull=True) | Q(state="closed", subject="")
            ),
            models.CheckConstraint(name="ticket_head_seq_not_negative", condition=Q(head_seq__gte=0)),
            models.CheckConstraint(name="ticket_head_note_seq_not_negative", condition=Q(head_note_seq__gte=0)),
            models.CheckConstraint(name="ticket_priority_known", condition=Q(priority__in=Priority.values)),
            models.CheckConstraint(
                name="ticket_closes_told",
                condition=Q(closes_at__isnull=True, closes_seq__isnull=True)
                | ~Q(state="closed") & Q(closes_at__isnull=False, closes_seq__isnull=False),
            ),
            models.CheckConstraint(
                name="ticket_response_by_somebody",
                condition=Q(first_response_at__isnull=True, first_response_by_id__isnull=True)
                | Q(first_response_at__isnull=False, first_response_by_id__isnull=False),
            ),
            models.CheckConstraint(
                name="ticket_rating_known",
                condition=Q(rating__isnull=True, rated_at__isnull=True, rating_comment="")
                | Q(rating__isnull=False, rating__gte=1, rating__lte=5, rated_at__isnull=False),
            ),
            models.CheckConstraint(name="ticket_tags_few", condition=Q(tags__len__lte=TAGS_MOST)),
            models.UniqueConstraint(name="ticket_client_id_once", fields=["learner_id", "client_id"]),
        ]
        indexes = [
            models.Index(F("category_id"), PLACE, F("number"), name="ticket_waiting", condition=Q(state="queued")),
            models.Index(name="ticket_load", fields=["assignee_id"], condition=Q(state="open")),
            models.Index(name="ticket_of_learner", fields=["learner_id", "-number"]),
            models.Index(name="ticket_of_category", fields=["category_id", "-number"]),
            GinIndex(name="ticket_tagged", fields=["tags"]),
            models.Index(name="ticket_closing", fields=["closes_at"], condition=Q(closes_at__isnull=False)),
            # For the statistics of a period.
            models.Index(name="ticket_opened", fields=["created_at"]),
            models.Index(name="ticket_closed", fields=["closed_at"], condition=Q(closed_at__isnull=False)),
            models.Index(name="ticket_rated", fields=["rated_at"], condition=Q(rated_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"ticket {self.number}"

    @property
    def priority_name(self) -> str:
        """As clients read and write it."""
        return Priority(self.priority).name.lower()
