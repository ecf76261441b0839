"""What is said in a ticket, and how far it was read. The database holds the rules: a gapless `seq`, one row a client id."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Length, Now
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual

from tickets.models.ticket import Ticket
from tickets.models.words import CLIENT_ID_MAX_LENGTH, MESSAGE_MAX_LENGTH, AttachmentState, new_id


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
            # The sender first, who thereby needs no index of their own (export, erasure), and the ticket last: PostgreSQL,
            # planning while the table is small, takes any index that fits in part, and reads more with each message.
            models.UniqueConstraint(name="message_client_id_once", fields=["sender_id", "client_id", "ticket"]),
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
            models.UniqueConstraint(name="note_client_id_once", fields=["sender_id", "client_id", "ticket"]),
            models.CheckConstraint(name="note_seq_from_one", condition=Q(seq__gte=1)),
            models.CheckConstraint(
                name="note_body_length",
                condition=Q(GreaterThanOrEqual(Length("body"), 1), LessThanOrEqual(Length("body"), MESSAGE_MAX_LENGTH))
                | Q(erased_at__isnull=False, body=""),
            ),
        ]

    def __str__(self) -> str:
        return f"note {self.seq} of {self.ticket_id}"


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
