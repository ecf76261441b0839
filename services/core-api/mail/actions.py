"""Queueing and sending mail. Nothing is sent while somebody waits for an answer: a job does it."""

from __future__ import annotations

import uuid
from datetime import timedelta
from email.utils import parseaddr
from smtplib import SMTPException

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from audit.actions import record
from audit.kinds import Kind
from config import jobs
from mail import unsubscribing
from mail.models import Mail

ATTEMPTS = 8  # over about two hours
LEASE = timedelta(minutes=2)  # longer than one attempt may take (EMAIL_TIMEOUT)

log = structlog.get_logger("lectern.mail")


def do_queue(kind: str, user: User, subject: str, text: str, to: str | None = None) -> Mail:
    """A mail to `user` (at `to` instead of the person's address), sent once the caller's transaction has committed."""
    from mail import tasks  # which call this module

    message = Mail.objects.create(kind=kind, user=user, to=to or user.email, subject=subject, text=text)
    if settings.MAIL_IS_SENT:
        jobs.defer(tasks.send_mail, mail_id=str(message.pk))
    return message


def do_alert_admins(kind: str, subject: str, text: str) -> None:
    """Tells every active superuser that something needs a person's eyes, within the caller's transaction."""
    for admin in User.objects.filter(is_superuser=True, is_active=True):
        do_queue(kind, admin, subject, text)


def send(mail_id: uuid.UUID) -> None:
    """Sends one waiting mail, unless somebody else is doing so. Does not raise for what the mail server answers.

    The claim is committed before, the outcome after the sending: whoever is killed in between sends it again, with the
    same Message-ID, when the lease is over.
    """
    message = _claim(mail_id)
    if message is None:
        return
    try:
        _deliver(message)
    except (SMTPException, OSError, ValueError) as error:
        _note_failure(message, error)
    else:
        Mail.objects.filter(pk=mail_id).update(status=Mail.Status.SENT, sent_at=timezone.now(), text="", error="")


def send_again(mail_id: uuid.UUID, by: User | None = None) -> bool:
    """Puts a failed mail back into the queue, for `by`; False for one that did not fail."""
    from mail import tasks  # which call this module

    with transaction.atomic():
        failed = Mail.objects.filter(pk=mail_id, status=Mail.Status.FAILED)
        if not failed.update(status=Mail.Status.WAITING, attempts=0, next_attempt_at=timezone.now()):
            return False
        message = Mail.objects.select_related("user").get(pk=mail_id)
        record(Kind.MAIL_SENT_AGAIN, actor=by, subject=message.user, mail=str(mail_id), about=message.kind)
        jobs.defer(tasks.send_mail, mail_id=str(mail_id))
    return True


def _claim(mail_id: uuid.UUID) -> Mail | None:
    now = timezone.now()
    due = Mail.objects.filter(pk=mail_id, status=Mail.Status.WAITING, next_attempt_at__lte=now)
    if not due.update(next_attempt_at=now + LEASE, attempts=F("attempts") + 1):
        return None
    return Mail.objects.get(pk=mail_id)


def _deliver(message: Mail) -> None:
    host = parseaddr(settings.MAIL_FROM)[1].rpartition("@")[2]
    headers = {"Message-ID": f"<{message.pk}@{host}>", "Auto-Submitted": "auto-generated"} | unsubscribing.headers(
        message
    )
    EmailMessage(
        message.subject, unsubscribing.whole_text(message), settings.MAIL_FROM, [message.to], headers=headers
    ).send()


def _note_failure(message: Mail, error: Exception) -> None:
    final = message.attempts >= ATTEMPTS
    log.warning("mail_not_sent", mail=str(message.pk), kind=message.kind, error=type(error).__name__, final=final)
    Mail.objects.filter(pk=message.pk).update(
        status=Mail.Status.FAILED if final else Mail.Status.WAITING,
        next_attempt_at=timezone.now() + timedelta(minutes=2 ** (message.attempts - 1)),
        error=f"{type(error).__name__}: {error}"[:300],
    )
