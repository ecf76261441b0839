"""Everything that makes and removes attachments. Which one a message may name is the database's to say (models.Message)."""

from __future__ import annotations

import errno
import uuid
from collections.abc import Callable, Iterable
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from tickets import file_types, files, queries
from tickets.errors import (
    AttachmentNotReady,
    FileTooLarge,
    Invalid,
    NoRoom,
    NotFound,
    Problem,
    QuotaExceeded,
    TicketClosed,
    Unavailable,
)
from tickets.models import Attachment, AttachmentState, Message, TicketState, new_id
from tickets.people import Person

LARGEST = 20 * 2**20  # bytes
LARGEST_BODY = LARGEST + 2**20  # with what a form puts around it; nginx stops at the same
DAILY_QUOTA = 500 * 2**20  # bytes that one person may upload within a day
UNSENT_FOR = timedelta(days=1)
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

SENT = Exists(Message.objects.filter(attachment=OuterRef("pk")))  # a message names it

log = structlog.get_logger()


def no_room(error: OSError) -> Problem:
    """What to tell whoever sent something that could not be written."""
    return NoRoom() if error.errno in FULL else Unavailable()


def check_can_add(person: Person, ticket_id: uuid.UUID, *, lock: bool = False) -> None:
    """Raises NotFound or TicketClosed."""
    if queries.ticket_for(person, ticket_id, lock=lock).state == TicketState.CLOSED:
        raise TicketClosed


def add(
    person: Person, ticket_id: uuid.UUID, name: str, size: int, pieces: Callable[[], Iterable[bytes]]
) -> Attachment:
    """Keeps a file of `size` bytes, whose content `pieces` gives each time. Its type is what its bytes say.

    Ready at once, or once ClamAV found nothing where there is one. Raises FileTooLarge, Invalid, NoRoom, QuotaExceeded,
    NotFound, TicketClosed, Unavailable.
    """
    content_type = check_file(size, pieces)
    attachment = Attachment(
        id=new_id(),
        ticket_id=ticket_id,
        uploader_id=person.id,
        name=file_types.safe_name(name, content_type),
        size=size,
        content_type=content_type,
        state=AttachmentState.SCANNING if settings.CLAMAV_ADDRESS else AttachmentState.READY,
    )
    try:
        files.keep(attachment.id, pieces())
    except OSError as error:
        log.error("attachment_not_kept", exc_info=error)
        raise no_room(error) from error
    try:
        with transaction.atomic():
            check_can_add(person, ticket_id, lock=True)
            _check_quota(person, size)
            attachment.save(force_insert=True)
    except BaseException:
        files.drop([attachment.id])
        raise
    return attachment


def check_file(size: int, pieces: Callable[[], Iterable[bytes]]) -> str:
    """Its content type. Raises FileTooLarge or Invalid."""
    if size > LARGEST:
        raise FileTooLarge
    if size == 0:
        raise Invalid({"file": ["The file is empty."]})
    content_type = file_types.detect(pieces())
    if content_type is None:
        raise Invalid({"file": [f"Send {file_types.ACCEPTED}."]})
    return content_type


def _check_quota(person: Person, size: int) -> None:
    """Holds a lock of the person's until the commit, so that many at once are counted one after another."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('chat.attachment ' || %s, 0))", [str(person.id)])
    lately = Attachment.objects.filter(uploader_id=person.id, created_at__gt=timezone.now() - timedelta(days=1))
    if (lately.aggregate(bytes=Sum("size"))["bytes"] or 0) + size > DAILY_QUOTA:
        raise QuotaExceeded


def of_ticket(person: Person, ticket_id: uuid.UUID) -> QuerySet[Attachment]:
    """What messages of the ticket name, and what one has uploaded to it besides; newest first. Raises NotFound."""
    ticket = queries.ticket_for(person, ticket_id)
    return Attachment.objects.filter(_seen_by(person), ticket=ticket).order_by("-id")


def _seen_by(person: Person) -> Q:
    return Q(SENT) | Q(uploader_id=person.id)


def for_download(person: Person, attachment_id: uuid.UUID) -> Attachment:
    """Raises NotFound (also for what somebody else has not sent yet), or AttachmentNotReady."""
    attachment = Attachment.objects.filter(_seen_by(person), pk=attachment_id).first()
    if attachment is None:
        raise NotFound
    queries.ticket_for(person, attachment.ticket_id)
    if attachment.state != AttachmentState.READY:
        raise AttachmentNotReady
    return attachment


def unsent() -> QuerySet[Attachment]:
    return Attachment.objects.exclude(SENT)


def remove(attachments: QuerySet[Attachment]) -> int:
    """Rows that no message names (any more), their files after the commit; how many."""
    ids = list(attachments.values_list("pk", flat=True))
    Attachment.objects.filter(pk__in=ids).delete()
    transaction.on_commit(lambda: files.drop(ids))
    return len(ids)


def clean_up(left_after: float = files.LEFT_AFTER) -> int:
    """Removes what nobody sent within a day, and files that no row wants; how many. Several at once do no harm."""
    with transaction.atomic():
        old = unsent().filter(created_at__lt=timezone.now() - UNSENT_FOR)
        removed = remove(old.select_for_update(skip_locked=True))
    if Attachment.objects.exists():  # else this may be a new database before the files of an old one
        removed += files.sweep(_wanted, left_after)
    if removed:
        log.info("attachments_removed", count=removed)
    return removed


def _wanted(ids: list[uuid.UUID]) -> set[uuid.UUID]:
    kept = Attachment.objects.filter(pk__in=ids).exclude(state=AttachmentState.REJECTED)
    return set(kept.values_list("pk", flat=True))
