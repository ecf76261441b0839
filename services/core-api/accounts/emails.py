"""Proving that an e-mail address is one's own, and changing it."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import letters, mailed_tokens
from accounts.attempts import Purpose as Attempted
from accounts.attempts import check_and_count
from accounts.errors import LinkInvalid
from accounts.mailed_tokens import Purpose
from accounts.models import User
from accounts.passwords import check_current_password, lock_unchanged
from audit.actions import record
from audit.kinds import Kind
from audit.origin import current_origin
from config.problems import Invalid


def ask_verification(user: User) -> None:
    """Another mail to the address that is not confirmed yet, if there is one. Raises TooManyRequests."""
    _count_mail(user)
    with transaction.atomic():
        current = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if pending := mailed_tokens.pending_email(current):
            letters.change_email(current, mailed_tokens.issue(current, Purpose.CHANGE_EMAIL, pending), pending)
        elif current.email_verified_at is None:
            letters.verify_email(current, mailed_tokens.issue(current, Purpose.VERIFY_EMAIL, current.email))


def ask_change(user: User, current_password: str, email: str) -> None:
    """Mails a link to the new address, and word of it to the old one, which stays until the link is opened.

    The address that one has takes back an earlier wish. Raises WrongPassword, Invalid, TooManyRequests.
    """
    check_current_password(user, current_password)
    _count_mail(user)
    with transaction.atomic():
        current = lock_unchanged(user, user.password)
        mailed_tokens.spend_all(current, Purpose.CHANGE_EMAIL)
        if email == current.email:
            return
        if User.objects.named(email).exclude(pk=current.pk).exists():
            raise Invalid(errors={"email": ["That e-mail address is in use."]})
        letters.change_email(current, mailed_tokens.issue(current, Purpose.CHANGE_EMAIL, email), email)
        letters.email_change_asked(current)
        record(Kind.EMAIL_CHANGE_ASKED, actor=current, subject=current)


def verify(token: str) -> None:
    """Confirms an address by the token that was mailed to it. Raises LinkInvalid."""
    with transaction.atomic():
        row, user = mailed_tokens.take(token, Purpose.VERIFY_EMAIL, Purpose.CHANGE_EMAIL)
        if row.purpose == Purpose.CHANGE_EMAIL:
            _change(user, row.email)
        elif row.email == user.email:
            mailed_tokens.spend_all(user, Purpose.VERIFY_EMAIL)
            _save_verified(user)
            record(Kind.EMAIL_VERIFIED, actor=user, subject=user)
        else:
            raise LinkInvalid


def do_forget_confirmation(user: User) -> None:
    """After staff typed another address: nobody has proven it, and what was mailed to the old one is worth nothing."""
    User.objects.filter(pk=user.pk).update(email_verified_at=None)
    mailed_tokens.spend_all(user, *Purpose)


def _count_mail(user: User) -> None:
    check_and_count(Attempted.VERIFICATION, account=str(user.pk), address=current_origin().address)


def _change(user: User, email: str) -> None:
    old, user.email = user.email, email
    try:
        with transaction.atomic():
            _save_verified(user)
    except IntegrityError as error:
        raise LinkInvalid("Another account uses that address by now.") from error
    mailed_tokens.spend_all(user, *Purpose)  # what was mailed to the old address is worth nothing now
    letters.email_changed(user, old)
    record(Kind.EMAIL_CHANGED, actor=user, subject=user)


def _save_verified(user: User) -> None:
    user.email_verified_at = timezone.now()
    user.save(update_fields=["email", "email_verified_at"])
