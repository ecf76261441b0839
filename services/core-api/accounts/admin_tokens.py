"""Access tokens that staff get from a session of the admin site, and that end with it."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import LoginSession, User
from accounts.sessions import Client, end_sessions
from accounts.tokens import AccessToken
from audit.actions import record
from audit.kinds import Kind
from config.problems import NotAuthenticated


def token_of(user: User, admin_session: SessionBase, client: Client) -> AccessToken:
    """An access token of the login that belongs to this session of the admin site, opened where there is none.

    Raises NotAuthenticated if the session is over by now.
    """
    session_key = str(admin_session.session_key)
    with transaction.atomic():
        _one_at_a_time(user)
        if not admin_session.exists(session_key):
            raise NotAuthenticated
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
    """Django tells this before it forgets the session, which is forgotten here: no request meanwhile opens a login by it."""
    if user is not None and request.session.session_key:
        with transaction.atomic():
            _one_at_a_time(user)
            end_sessions(_logins_of(request.session.session_key).filter(user=user), "logged_out")
            request.session.delete()
            record(Kind.LOGOUT, actor=user, subject=user, by="admin_site")


def do_end_admin_session(hashed: bytes) -> None:
    """Logs out of the admin site whoever has that session: among those of the staff, which are few, the one with that hash."""
    for session_key in Session.objects.filter(expire_date__gt=timezone.now()).values_list("pk", flat=True):
        if _hash(session_key) == hashed:
            Session.objects.filter(pk=session_key).delete()


def _one_at_a_time(user: User) -> None:
    """Two requests share a login, and a log-out finds it: each waits for the one before."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _logins_of(session_key: str) -> QuerySet[LoginSession]:
    return LoginSession.objects.filter(admin_session=_hash(session_key))


def _hash(session_key: str) -> bytes:
    return hashlib.sha256(session_key.encode()).digest()
