"""Everything that changes people and their login sessions."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.contrib.auth import authenticate
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.errors import InvalidCredentials, RefreshTokenInvalid, TokenReused, TokenSuperseded
from accounts.models import LoginSession, RefreshToken, User
from accounts.tokens import AccessToken
from config.problems import Invalid, Problem

REPLAY_GRACE = timedelta(seconds=10)  # within it, a replay is a lost answer or a second tab, not a theft


@dataclass(frozen=True)
class Client:
    """Where a login came from, to be shown to the person."""

    address: str | None
    user_agent: str


@dataclass(frozen=True)
class Tokens:
    access: str
    refresh: str


def register(username: str, email: str, password: str) -> User:
    """A new person. The fields are valid; Invalid says which of them somebody else has, however close the race."""
    try:
        with transaction.atomic():
            return User.objects.create_user(username, email, password)
    except IntegrityError as error:
        taken: dict[str, list[str]] = {}
        if User.objects.named(username).exists():
            taken["username"] = ["That name is taken."]
        if User.objects.named(email).exists():
            taken["email"] = ["That e-mail address is in use."]
        if not taken:
            raise
        raise Invalid(errors=taken) from error


def log_in(username: str, password: str, client: Client) -> Tokens:
    """Opens a login session. Raises InvalidCredentials, whatever was wrong."""
    user = authenticate(username=username, password=password)
    if not isinstance(user, User):
        raise InvalidCredentials
    with transaction.atomic():
        # Whoever changes the password or deactivates the person meanwhile takes this row: no login slips through.
        unchanged = User.objects.select_for_update(no_key=True).filter(
            pk=user.pk, password=user.password, is_active=True
        )
        current = unchanged.first()
        if current is None:
            raise InvalidCredentials
        return open_session(current, client)


def open_session(user: User, client: Client) -> Tokens:
    """A new family of refresh tokens, with its first pair. Within the caller's transaction."""
    session = LoginSession.objects.create(user=user, address=client.address, user_agent=client.user_agent[:200])
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


def log_out(token: str) -> None:
    """Ends the session that a refresh token belongs to. Does nothing for one that is unknown or over."""
    end_sessions(LoginSession.objects.filter(refresh_tokens__token_hash=_hash(token)), "logged_out")


def log_out_everywhere(user: User, reason: str = "log_out_everywhere") -> None:
    """Makes every token of the person useless, on all services, within a second."""
    with transaction.atomic():
        current = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        current.generation += 1
        current.save(update_fields=["generation"])
        end_sessions(LoginSession.objects.filter(user=user), reason)


def set_password(user: User, password: str | None) -> None:
    """A new password, already validated, or none at all. Ends every login of the person. Updates `user`, too."""
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        log_out_everywhere(user, "password_changed")
        user.refresh_from_db(fields=["generation"])


def deactivate(user: User) -> None:
    with transaction.atomic():
        log_out_everywhere(user, "deactivated")
        User.objects.filter(pk=user.pk).update(is_active=False)


def end_sessions(sessions: QuerySet[LoginSession], reason: str) -> None:
    ids = list(sessions.filter(ended_at__isnull=True).values_list("pk", flat=True))
    LoginSession.objects.filter(pk__in=ids, ended_at__isnull=True).update(ended_at=timezone.now(), end_reason=reason)


def _exchange(token: str, attempt: str) -> Tokens | Problem:
    known = RefreshToken.objects.filter(token_hash=_hash(token)).values_list("session_id", flat=True).first()
    if known is None:
        return RefreshTokenInvalid()
    # One exchange or log-out of a family at a time: what is read below stays true until the commit.
    session = LoginSession.objects.select_for_update(of=("self",)).select_related("user").get(pk=known)
    row = RefreshToken.objects.get(token_hash=_hash(token))
    now = timezone.now()
    if row.consumed_at is not None:
        return _replay(row, session, token, attempt, now)
    if row.expires_at <= now or session.ended_at is not None or not session.user.is_active:
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
        end_sessions(LoginSession.objects.filter(pk=session.pk), "token_reused")
        return TokenReused()
    if session.ended_at is not None or not session.user.is_active:
        return RefreshTokenInvalid()
    if attempt and row.attempt_hash and row.successor and hmac.compare_digest(bytes(row.attempt_hash), _hash(attempt)):
        successor = _unseal(bytes(row.successor), token, attempt)
        return Tokens(access=str(AccessToken.of(session.user, session)), refresh=successor)
    return TokenSuperseded()


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
