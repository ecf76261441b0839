"""What is over is forgotten."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from accounts import sessions
from accounts.models import LoginSession, RefreshToken, User
from accounts.tasks import purge_expired_logins


def test_logins_that_expired_are_forgotten_and_no_others(alice: User) -> None:
    here = sessions.Client(None, "")
    for _ in range(2):
        sessions.open_session(alice, here)
    old, running = LoginSession.objects.order_by("pk")
    long_ago = timezone.now() - timedelta(days=32)
    LoginSession.objects.filter(pk=old.pk).update(created_at=long_ago)
    RefreshToken.objects.filter(session=old).update(expires_at=timezone.now() - timedelta(days=2))
    purge_expired_logins()
    assert list(LoginSession.objects.all()) == [running]
    assert RefreshToken.objects.get().session == running
