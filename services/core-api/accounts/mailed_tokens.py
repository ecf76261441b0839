"""Single-use secrets that people get by mail: to prove an address, to set a new password."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.utils import timezone

from accounts.errors import LinkInvalid
from accounts.models import MailedToken, User

Purpose = MailedToken.Purpose
LIFETIME = {
    Purpose.VERIFY_EMAIL: timedelta(days=1),
    Purpose.CHANGE_EMAIL: timedelta(days=1),
    Purpose.RESET_PASSWORD: timedelta(hours=1),
}


def issue(user: User, purpose: Purpose, email: str) -> str:
    """A new token for the mail to `email`. Within the caller's transaction, which holds the person's row."""
    token = secrets.token_urlsafe(32)
    now = timezone.now()
    MailedToken.objects.create(
        token_hash=_hash(token),
        user=user,
        purpose=purpose,
        email=email,
        created_at=now,
        expires_at=now + LIFETIME[purpose],
    )
    return token


def person_of(token: str, *purposes: Purpose) -> User:
    """Whose token it is, as things stand: it is not spent, nothing is held. Raises LinkInvalid."""
    unspent = MailedToken.objects.filter(spent_at__isnull=True, expires_at__gt=timezone.now(), user__is_active=True)
    row = unspent.filter(token_hash=_hash(token), purpose__in=purposes).select_related("user").first()
    if row is None:
        raise LinkInvalid
    return row.user


def take(token: str, *purposes: Purpose) -> tuple[MailedToken, User]:
    """Spends a token; gives it and its person, whose row is held until the caller's transaction ends. Raises LinkInvalid.

    The person's row is always taken before their tokens', here as everywhere: two at once wait, and never for each other.
    """
    row = MailedToken.objects.filter(token_hash=_hash(token), purpose__in=purposes).first()
    if row is None:
        raise LinkInvalid
    user = User.objects.select_for_update(no_key=True).filter(pk=row.user_id, is_active=True).first()
    now = timezone.now()
    unspent = MailedToken.objects.filter(pk=row.pk, spent_at__isnull=True, expires_at__gt=now)
    if user is None or not unspent.update(spent_at=now):
        raise LinkInvalid
    return row, user


def spend_all(user: User, *purposes: Purpose) -> None:
    """Makes the person's other links of these purposes useless."""
    unspent = MailedToken.objects.filter(user=user, purpose__in=purposes, spent_at__isnull=True)
    unspent.update(spent_at=timezone.now())


def pending_email(user: User) -> str | None:
    """The address that the person wants instead of theirs and has not confirmed yet."""
    waiting = user.mailed_tokens.filter(
        purpose=Purpose.CHANGE_EMAIL, spent_at__isnull=True, expires_at__gt=timezone.now()
    )
    return waiting.order_by("-created_at").values_list("email", flat=True).first()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
