"""Login sessions: families of refresh tokens, each of which is used once (deploy/design.md, section 3)."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.request import Request

from accounts import letters
from accounts.errors import LoginEndedByReuse, RefreshTokenInvalid, TokenReused, TokenSuperseded
from accounts.models import LoginSession, RefreshToken, User
from accounts.second_factor import is_demanded_of
from accounts.tokens import AccessToken
from audit.actions import record
from audit.kinds import Kind
from config.client_address import client_address
from config.problems import Problem

TOKEN_REUSED = "token_reused"  # noqa: S105  an end_reason, no token
REPLAY_GRACE = timedelta(seconds=10)  # within it, a replay is a lost answer or a second tab, not a theft


@dataclass(frozen=True)
class Client:
    """Where a login came from, to be shown to the person."""

    address: str | None
    user_agent: str


def client_of(request: HttpRequest | Request) -> Client:
    return Client(client_address(request), request.headers.get("User-Agent", ""))


@dataclass(frozen=True)
class Tokens:
    access: str
    refresh: str


def open_session(user: User, client: Client, *, second_factor: bool = False) -> Tokens:
    """A new family of refresh tokens, with its first pair. Within the caller's transaction."""
    session = LoginSession.objects.create(
        user=user, address=client.address, user_agent=client.user_agent[:200], second_factor=second_factor
    )
    return Tokens(access=str(AccessToken.of(user, session)), refresh=_add_refresh_token(session, timezone.now()))


def refresh(token: str, attempt: str = "") -> Tokens:
    """Exchanges a refresh token, once. Raises RefreshTokenInvalid, TokenSuperseded or TokenReused.

    What ends a family must outlive the refusal, so refusals are raised after the commit.
    """
    with transaction.atomic():
        outcome = _exchange(token, attempt)
    if isinstance(outcome, Problem):
        raise outcome
    return outcome


def end_sessions(sessions: QuerySet[LoginSession], reason: str) -> list[LoginSession]:
    """Ends those that are not over yet; gives them. Within the caller's transaction."""
    ending = list(sessions.select_for_update(of=("self",)).filter(ended_at__isnull=True).order_by("pk"))
    rows = LoginSession.objects.filter(pk__in=[session.pk for session in ending])
    rows.update(ended_at=timezone.now(), end_reason=reason)
    return ending


def running(user: User) -> QuerySet[LoginSession]:
    """The logins with which the person can still do something, the one used last first."""
    now = timezone.now()
    by_refreshing = Q(admin_session__isnull=True, last_used_at__gt=now - settings.REFRESH_TOKEN_LIFETIME)
    by_the_admin_site = Q(last_used_at__gt=now - timedelta(seconds=settings.SESSION_COOKIE_AGE))
    alive = LoginSession.objects.filter(by_refreshing | by_the_admin_site, user=user, ended_at__isnull=True)
    return alive.order_by("-last_used_at", "-pk")


def of_token(token: str) -> QuerySet[LoginSession]:
    """The session that a refresh token belongs to, if there is one."""
    return LoginSession.objects.filter(refresh_tokens__token_hash=_hash(token))


def _exchange(token: str, attempt: str) -> Tokens | Problem:
    known = RefreshToken.objects.filter(token_hash=_hash(token)).values_list("session_id", flat=True).first()
    if known is None:
        return RefreshTokenInvalid()
    # One exchange or log-out of a family at a time: what is read below stays true until the commit.
    session = LoginSession.objects.select_for_update(of=("self",)).select_related("user").filter(pk=known).first()
    if session is None:  # erased meanwhile, with the person
        return RefreshTokenInvalid()
    row = RefreshToken.objects.get(token_hash=_hash(token))
    now = timezone.now()
    if row.consumed_at is not None:
        return _replay(row, session, token, attempt, now)
    if session.end_reason == TOKEN_REUSED:
        return LoginEndedByReuse()
    if row.expires_at <= now or session.ended_at is not None or not session.user.is_active:
        return RefreshTokenInvalid()
    if is_demanded_of(session.user) and not session.second_factor:
        return RefreshTokenInvalid()
    return _consume(row, session, token, attempt, now)


def _consume(row: RefreshToken, session: LoginSession, token: str, attempt: str, now: datetime) -> Tokens | Problem:
    successor = _add_refresh_token(session, now)
    consumed = RefreshToken.objects.filter(pk=row.pk, consumed_at__isnull=True).update(
        consumed_at=now,
        attempt_hash=_hash(attempt) if attempt else None,
        successor=_seal(successor, token, attempt) if attempt else None,
    )
    if not consumed:  # never under the lock above; and if that ever changes, one token still has one successor
        raise RuntimeError("a refresh token was consumed twice")
    session.last_used_at = now
    session.save(update_fields=["last_used_at"])
    return Tokens(access=str(AccessToken.of(session.user, session)), refresh=successor)


def _replay(row: RefreshToken, session: LoginSession, token: str, attempt: str, now: datetime) -> Tokens | Problem:
    if row.consumed_at is None or now - row.consumed_at > REPLAY_GRACE:
        _end_family(session)
        return TokenReused()
    if session.ended_at is not None or not session.user.is_active:
        return RefreshTokenInvalid()
    if attempt and row.attempt_hash and row.successor and hmac.compare_digest(bytes(row.attempt_hash), _hash(attempt)):
        successor = _unseal(bytes(row.successor), token, attempt)
        return Tokens(access=str(AccessToken.of(session.user, session)), refresh=successor)
    return TokenSuperseded()


def _end_family(session: LoginSession) -> None:
    """Tells the person too, once: nobody knows which of the two callers they are."""
    if end_sessions(LoginSession.objects.filter(pk=session.pk), TOKEN_REUSED):
        letters.token_reused(session.user, session)
        record(Kind.TOKEN_REUSED, actor=None, subject=session.user, session=str(session.pk))


def _add_refresh_token(session: LoginSession, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    RefreshToken.objects.create(
        token_hash=_hash(token), session=session, expires_at=now + settings.REFRESH_TOKEN_LIFETIME
    )
    return token


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _seal(successor: str, token: str, attempt: str) -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(_sealing_key(token, attempt)).encrypt(nonce, successor.encode(), None)


def _unseal(sealed: bytes, token: str, attempt: str) -> str:
    return AESGCM(_sealing_key(token, attempt)).decrypt(sealed[:12], sealed[12:], None).decode()


def _sealing_key(token: str, attempt: str) -> bytes:
    return hmac.digest(token.encode(), attempt.encode(), "sha256")
