"""Clean-up that runs by itself (the worker's clock; on SQLite there is none)."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from procrastinate.contrib.django import app

from config import jobs
from wallet.models import IdempotencyKey

KEPT = timedelta(days=7)


@app.periodic(cron="37 3 * * *")
@app.task(queue=jobs.DEFAULT, queueing_lock="purge_idempotency_keys")
def purge_idempotency_keys(timestamp: int | None = None) -> None:
    """Forgets requests of which no repetition is expected any more. What they moved stays unique by constraints."""
    IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
