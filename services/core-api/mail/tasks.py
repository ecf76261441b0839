"""The jobs that send mail, and forget it."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from procrastinate.contrib.django import app

from config import jobs
from mail import actions
from mail.models import Mail

KEPT = timedelta(days=30)
TOO_LATE = timedelta(days=1)  # what waited in the outbox before EMAIL_URL was set is old news by now


@app.task(queue=jobs.DEFAULT)
def send_mail(mail_id: str) -> None:
    actions.send(uuid.UUID(mail_id))


@app.periodic(cron="* * * * *")
@app.task(queue=jobs.DEFAULT, queueing_lock="send_waiting_mails")
def send_waiting_mails(timestamp: int | None = None) -> None:
    """Sends what could not be sent at first, and what a killed worker left."""
    if not settings.MAIL_IS_SENT:
        return
    now = timezone.now()
    is_news = Q(created_at__gt=now - TOO_LATE) | Q(
        attempts__gt=0
    )  # what was tried already goes on, also when sent again late
    due = Mail.objects.filter(is_news, status=Mail.Status.WAITING, next_attempt_at__lte=now)
    for mail_id in due.order_by("next_attempt_at").values_list("pk", flat=True)[:200]:
        actions.send(mail_id)


@app.periodic(cron="27 3 * * *")
@app.task(queue=jobs.DEFAULT, queueing_lock="purge_mails")
def purge_mails(timestamp: int | None = None) -> None:
    Mail.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
