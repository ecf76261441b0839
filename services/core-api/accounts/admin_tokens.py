"""Access tokens that staff get from a session of the admin site, and that end with it."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import LoginSession, User
from accounts.sessions import Client, end_sessions
from accounts.tokens import AccessToken
from audit.actions import record
from audit.kinds import Kind


def token_of(user: User, session_key: str, client: Client) -> AccessToken:
    """An access token of the login that belongs to this session of the admin site, opened where there is none."""
    with transaction.atomic():
        # One at a time: two requests at once share a login, and a log-out meanwhile finds it.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        session = _logins_of(session_key).filter(user=user, ended_at__isnull=True).first()
        if session is None:
            session = LoginSession.objects.create(
                user=user,
                admin_session=_hash(session_key),
                address=client.address,
                user_agent=client.user_agent[:200],
            )
            record(Kind.LOGIN, actor=user, subject=user, by="admin_session")
        else:
            LoginSession.objects.filter(pk=session.pk).update(last_used_at=timezone.now())
        return AccessToken.of(user, session)


@receiver(user_logged_out)
def end_with_the_admin_session(sender: Any, request: HttpRequest, user: User | None, **_others: Any) -> None:
    """Django tells this before it forgets the session, whoever logs somebody out of it, and wherever."""
    if user is not None and request.session.session_key:
        with transaction.atomic():
            end_sessions(_logins_of(request.session.session_key).filter(user=user), "logged_out")


def _logins_of(session_key: str) -> Any:
    return LoginSession.objects.filter(admin_session=_hash(session_key))


def _hash(session_key: str) -> bytes:
    return hashlib.sha256(session_key.encode()).digest()
