"""Clean-up that runs by itself (the worker's clock; on SQLite there is none)."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from procrastinate.contrib.django import app

from accounts import attempts
from accounts.models import LoginSession, RefreshToken
from config import jobs


@app.periodic(cron="17 3 * * *")
@app.task(queue=jobs.DEFAULT, queueing_lock="purge_expired_logins")
def purge_expired_logins(timestamp: int | None = None) -> None:
    """Forgets refresh tokens that expired, and the sessions that have none left."""
    over = timezone.now() - timedelta(days=1)
    RefreshToken.objects.filter(expires_at__lt=over).delete()
    LoginSession.objects.filter(refresh_tokens=None, created_at__lt=over - settings.REFRESH_TOKEN_LIFETIME).delete()


@app.periodic(cron="37 * * * *")
@app.task(queue=jobs.DEFAULT, queueing_lock="purge_attempts")
def purge_attempts(timestamp: int | None = None) -> None:
    """Forgets counters of attempts that mean nothing any more."""
    attempts.purge()
