"""What the chat gateway keeps. The database holds the rules: a gapless `seq`, one row a client id, open = assigned.

People, categories, lessons and orders belong to core-api; they appear here by id, with the names that were shown then.
"""

from __future__ import annotations

import uuid

import uuid_utils.compat
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Length, Now
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual

MESSAGE_MAX_LENGTH = 4000  # characters: the longest fits a 16 KiB frame even at four bytes each
SUBJECT_MAX_LENGTH = 200
CLIENT_ID_MAX_LENGTH = 64
TAG_MAX_LENGTH = 40
TAGS_MOST = 10
COMMENT_MAX_LENGTH = 1000


def new_id() -> uuid.UUID:
    return uuid_utils.compat.uuid7()


class TicketState(models.TextChoices):
    QUEUED = "queued"
    OPEN = "open"
    CLOSED = "closed"


class Priority(models.IntegerChoices):
    """A ticket begins with its category's (core's admin site); an agent may change it. tickets/rule.py says its worth."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    URGENT = 3


class Presence(models.TextChoices):
    ONLINE = "online"
    AWAY = "away"
    OFFLINE = "offline"


class AssignmentReason(models.TextChoices):
    ASSIGNED = "assigned"  # by the rule
    CLAIMED = "claimed"
    TRANSFERRED = "transferred"
    RELEASED = "released"  # the agent was gone, or serves the category no more
    CLOSED = "closed"
    REOPENED = "reopened"
    IDLE = "idle"  # closed: its learner did not answer
    PRIORITISED = "prioritised"  # the same agent, another place in the queue


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


class AttachmentState(models.TextChoices):
    SCANNING = "scanning"
    READY = "ready"
    REJECTED = "rejected"  # something was found in it, and its file is gone


class Attachment(models.Model):
    """A file that somebody uploaded to a ticket, to be named by one message of theirs there (files.py says where it lies)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    ticket = models.ForeignKey(Ticket, on_delete=models.PROTECT, db_index=False, related_name="attachments")
    uploader_id = models.UUIDField()
    name = models.CharField(max_length=150)  # what a download is called
    size = models.BigIntegerField()  # bytes
    content_type = models.CharField(max_length=50)  # by the file's own bytes
    state = models.CharField(max_length=10, choices=AttachmentState.choices)
    scan_at = models.DateTimeField(db_default=Now())  # while it is scanning: not before
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "attachment"
        constraints = [
            models.CheckConstraint(name="attachment_state_known", condition=Q(state__in=AttachmentState.values)),
            models.CheckConstraint(name="attachment_not_empty", condition=Q(size__gte=1)),
        ]
        indexes = [
            models.Index(name="attachment_of_ticket", fields=["ticket", "-id"]),
            models.Index(name="attachment_of_uploader", fields=["uploader_id", "created_at"]),
            models.Index(name="attachment_to_scan", fields=["scan_at"], condition=Q(state="scanning")),
        ]

    def __str__(self) -> str:
        return self.name


class Message(models.Model):
    """One message, never changed but by erasure, which empties it and leaves its `seq`.

    Written by tickets/sql.py alone, which gives it its `seq` under the ticket's row lock.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    ticket = models.ForeignKey(Ticket, on_delete=models.PROTECT, db_index=False, related_name="messages")
    seq = models.BigIntegerField()
    client_id = models.CharField(max_length=CLIENT_ID_MAX_LENGTH, null=True)
    sender_id = models.UUIDField()
    sender_username = models.CharField(max_length=150)
    body = models.TextField()
    created_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True)
    # A foreign key of the migration's own: to an attachment of this ticket and sender that is ready, and stays so.
    attachment = models.ForeignKey(
        Attachment, on_delete=models.PROTECT, null=True, db_index=False, db_constraint=False, related_name="+"
    )

    class Meta:
        db_table = "message"
        constraints = [
            models.UniqueConstraint(name="message_seq_once", fields=["ticket", "seq"]),
            models.UniqueConstraint(name="message_client_id_once", fields=["ticket", "sender_id", "client_id"]),
            models.UniqueConstraint(
                name="message_attachment_once", fields=["attachment"], condition=Q(attachment__isnull=False)
            ),
            models.CheckConstraint(name="message_seq_from_one", condition=Q(seq__gte=1)),
            models.CheckConstraint(
                name="message_body_length",
                condition=Q(GreaterThanOrEqual(Length("body"), 1), LessThanOrEqual(Length("body"), MESSAGE_MAX_LENGTH))
                | Q(erased_at__isnull=False, body=""),
            ),
        ]
        indexes = [models.Index(name="message_of_sender", fields=["sender_id"])]  # an agent's: export and erasure

    def __str__(self) -> str:
        return f"message {self.seq} of {self.ticket_id}"


class Note(models.Model):
    """What agents say to each other about a ticket: never to its learner, in a sequence of its own, also once it is closed.

    Written by tickets/sql.py alone, like messages. Erasure of the learner empties it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    ticket = models.ForeignKey(Ticket, on_delete=models.PROTECT, db_index=False, related_name="notes")
    seq = models.BigIntegerField()
    client_id = models.CharField(max_length=CLIENT_ID_MAX_LENGTH, null=True)
    sender_id = models.UUIDField()
    sender_username = models.CharField(max_length=150)
    body = models.TextField()
    created_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "note"
        constraints = [
            models.UniqueConstraint(name="note_seq_once", fields=["ticket", "seq"]),
            models.UniqueConstraint(name="note_client_id_once", fields=["ticket", "sender_id", "client_id"]),
            models.CheckConstraint(name="note_seq_from_one", condition=Q(seq__gte=1)),
            models.CheckConstraint(
                name="note_body_length",
                condition=Q(GreaterThanOrEqual(Length("body"), 1), LessThanOrEqual(Length("body"), MESSAGE_MAX_LENGTH))
                | Q(erased_at__isnull=False, body=""),
            ),
        ]
        indexes = [models.Index(name="note_of_sender", fields=["sender_id"])]

    def __str__(self) -> str:
        return f"note {self.seq} of {self.ticket_id}"


class AgentStatus(models.Model):
    """Whether an agent is there. It counts until `lease_until`, which an open socket and PUT /agents/me/ renew."""

    user_id = models.UUIDField(primary_key=True)
    status = models.CharField(max_length=10, choices=Presence.choices)
    lease_until = models.DateTimeField()
    assigned_at = models.DateTimeField(null=True)  # when the rule last gave this agent a ticket: takes turns

    class Meta:
        db_table = "agent_status"
        constraints = [
            models.CheckConstraint(name="agent_status_known", condition=Q(status__in=Presence.values)),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.status}"


class Assignment(models.Model):
    """Who had which ticket since when, why, and by whose hand. Only ever added to."""

    id = models.BigAutoField(primary_key=True)
    ticket = models.ForeignKey(Ticket, on_delete=models.PROTECT, related_name="assignments")
    agent_id = models.UUIDField(null=True)  # none: back to the queue, or closed
    actor_id = models.UUIDField(null=True)  # none: the rule
    reason = models.CharField(max_length=20, choices=AssignmentReason.choices)
    over_capacity = models.BooleanField(db_default=False)  # a support lead gave the agent more than they have room for
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "assignment"
        indexes = [
            models.Index(name="assignment_of_agent", fields=["agent_id"]),
            models.Index(name="assignment_at", fields=["at"]),
        ]

    def __str__(self) -> str:
        return f"{self.ticket_id} {self.reason}"


class ReadCursor(models.Model):
    """Up to which message somebody has read a ticket."""

    id = models.BigAutoField(primary_key=True)
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, db_index=False, related_name="read_cursors")
    user_id = models.UUIDField()
    seq = models.BigIntegerField()

    class Meta:
        db_table = "read_cursor"
        constraints = [models.UniqueConstraint(name="read_cursor_once", fields=["ticket", "user_id"])]
        indexes = [models.Index(name="read_cursor_of_user", fields=["user_id"])]

    def __str__(self) -> str:
        return f"{self.user_id} read {self.ticket_id} up to {self.seq}"


class UnreadMail(models.Model):
    """What somebody was last told by mail about unread messages of a ticket, and until when they count as looking at it."""

    id = models.BigAutoField(primary_key=True)
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, db_index=False, related_name="unread_mails")
    user_id = models.UUIDField()
    mailed_seq = models.BigIntegerField(default=0, db_default=0)  # the newest message then
    mailed_at = models.DateTimeField(null=True)
    present_until = models.DateTimeField(null=True)

    class Meta:
        db_table = "unread_mail"
        constraints = [models.UniqueConstraint(name="unread_mail_once", fields=["ticket", "user_id"])]
        indexes = [models.Index(name="unread_mail_of_user", fields=["user_id"])]

    def __str__(self) -> str:
        return f"mail to {self.user_id} about {self.ticket_id}"


class ConnectTicket(models.Model):
    """A single-use pass for one WebSocket, so that no token stands in a URL. Only its hash is kept; using it deletes it."""

    secret_hash = models.BinaryField(primary_key=True, max_length=32)  # SHA-256
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, db_index=False, null=True)
    user_id = models.UUIDField()
    username = models.CharField(max_length=150)
    generation = models.IntegerField()
    session_id = models.UUIDField()
    token_expires_at = models.DateTimeField()  # the access token's end stays the socket's
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "connect_ticket"
        constraints = [
            models.CheckConstraint(
                name="connect_ticket_within_token", condition=Q(expires_at__lte=F("token_expires_at"))
            ),
        ]

    def __str__(self) -> str:
        return f"connect ticket of {self.user_id}"


class Erasure(models.Model):
    """Somebody whom core-api has erased, and who is erased here. `settled`: also what they were writing meanwhile."""

    user_id = models.UUIDField(primary_key=True)
    erased_at = models.DateTimeField()  # core-api's time: another one, after a restored backup, is another erasure
    settled = models.BooleanField()

    class Meta:
        db_table = "erasure"

    def __str__(self) -> str:
        return f"erasure of {self.user_id}"
