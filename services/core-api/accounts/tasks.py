"""Clean-up that runs by itself (the worker's clock; on SQLite there is none)."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from accounts import attempts, devices, passwords
from accounts.models import LoginSession, MailedToken, PasswordResetRequest, RefreshToken
from config import jobs


@app.periodic(cron="17 3 * * *")
@app.task(queue=jobs.DEFAULT, queueing_lock="purge_expired_logins")
def purge_expired_logins(timestamp: int | None = None) -> None:
    """Forgets refresh tokens that expired, the sessions that have none left, and devices of long ago."""
    over = timezone.now() - timedelta(days=1)
    RefreshToken.objects.filter(expires_at__lt=over).delete()
    LoginSession.objects.filter(refresh_tokens=None, created_at__lt=over - settings.REFRESH_TOKEN_LIFETIME).delete()
    devices.purge()


@app.task(queue=jobs.DEFAULT, retry=RetryStrategy(max_attempts=10, linear_wait=20))
def send_password_reset(request_id: str) -> None:
    passwords.send_reset(uuid.UUID(request_id))


@app.periodic(cron="7 * * * *")
@app.task(queue=jobs.DEFAULT, queueing_lock="purge_mailed_tokens")
def purge_mailed_tokens(timestamp: int | None = None) -> None:
    """Forgets links that are worth nothing any more, and what was typed into a request that no job could answer."""
    now = timezone.now()
    MailedToken.objects.filter(expires_at__lt=now - timedelta(days=1)).delete()
    PasswordResetRequest.objects.filter(created_at__lt=now - timedelta(hours=1)).delete()


@app.periodic(cron="37 * * * *")
@app.task(queue=jobs.DEFAULT, queueing_lock="purge_attempts")
def purge_attempts(timestamp: int | None = None) -> None:
    """Forgets counters of attempts that mean nothing any more."""
    attempts.purge()
