"""Clean-up that runs by itself."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from procrastinate.contrib.django import app

from audit.models import Event
from config import jobs

KEPT = timedelta(days=400)  # the database itself refuses to forget what is younger than 365 days


@app.periodic(cron="57 3 * * *")
@app.task(queue=jobs.DEFAULT, queueing_lock="purge_audit_log")
def purge_audit_log(timestamp: int | None = None) -> None:
    Event.objects.filter(at__lt=timezone.now() - KEPT).delete()
