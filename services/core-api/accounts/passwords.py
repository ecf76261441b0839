"""Changing a password, and getting over a forgotten one."""

from __future__ import annotations

import uuid

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import transaction
from django.utils import timezone

from accounts import letters, mailed_tokens
from accounts.actions import do_save_password
from accounts.attempts import Purpose as Attempted
from accounts.attempts import check_and_count
from accounts.errors import LinkInvalid, WrongPassword
from accounts.mailed_tokens import Purpose
from accounts.models import PasswordResetRequest, User
from accounts.names import normalise_password
from audit.actions import record
from audit.kinds import Kind
from audit.origin import current_origin
from config import jobs
from config.problems import Invalid, TooManyRequests


def check_current_password(user: User, password: str) -> None:
    """For what a stolen access token must not suffice for. Outside any transaction. Raises WrongPassword, TooManyRequests."""
    attempt = check_and_count(Attempted.REAUTHENTICATION, account=str(user.pk), address=current_origin().address)
    if not user.check_password(password):
        raise WrongPassword
    attempt.succeeded()


def change(user: User, current_password: str, new_password: str) -> None:
    """Sets another password and ends every login. Raises WrongPassword, TooManyRequests, Invalid."""
    check_current_password(user, current_password)
    check_new_password(user, new_password)
    present = user.password
    user.set_password(new_password)  # takes long on purpose: no row is held meanwhile
    with transaction.atomic():
        lock_unchanged(user, present)
        do_save_password(user)
        record(Kind.PASSWORD_CHANGED, actor=user, subject=user)


def lock_unchanged(user: User, present: str) -> User:
    """The person's row, held until the transaction ends. Raises WrongPassword if its password is not `present`, a hash."""
    current = User.objects.select_for_update(no_key=True).filter(pk=user.pk, password=present, is_active=True)
    locked = current.first()
    if locked is None:
        raise WrongPassword
    return locked


def check_new_password(user: User, password: str, field: str = "new_password") -> None:
    """Raises Invalid with what the password lacks."""
    try:
        validate_password(normalise_password(password), user)
    except DjangoValidationError as error:
        raise Invalid(errors={field: error.messages}) from error


def ask_reset(email: str) -> None:
    """Has a mail sent to the person with that address, if there is one, and if it was not asked for too often.

    Does the same work for everybody, so that its duration tells nothing: the job, later, finds out who that is. What was
    asked too often is left out without a word: the answer is always the same.
    """
    from accounts import tasks  # which call this module

    try:
        check_and_count(Attempted.RESET, account=email, address=current_origin().address)
    except TooManyRequests:
        return
    with transaction.atomic():
        asked = PasswordResetRequest.objects.create(email=email, address=current_origin().address)
        jobs.defer(tasks.send_password_reset, request_id=str(asked.pk))


def send_reset(request_id: uuid.UUID) -> None:
    """Answers one request, once: what was typed is gone with the transaction that queues the mail."""
    with transaction.atomic():
        asked = PasswordResetRequest.objects.select_for_update().filter(pk=request_id).first()
        if asked is None:
            return
        asked.delete()
        user = User.objects.named(asked.email).select_for_update(no_key=True).filter(is_active=True).first()
        if user is None or not user.has_usable_password():
            return
        letters.password_reset(user, mailed_tokens.issue(user, Purpose.RESET_PASSWORD, user.email))
        record(Kind.PASSWORD_RESET_ASKED, actor=None, subject=user, asked_from=asked.address)


def confirm_reset(token: str, new_password: str) -> None:
    """Sets a password by the token of a mail, and ends every login. Raises LinkInvalid; Invalid, which leaves the token good."""
    user = mailed_tokens.person_of(token, Purpose.RESET_PASSWORD)
    check_new_password(user, new_password)
    user.set_password(new_password)  # takes long on purpose: no row is held meanwhile
    with transaction.atomic():
        row, current = mailed_tokens.take(token, Purpose.RESET_PASSWORD)
        if row.email != current.email:  # changed meanwhile: the mail may be in other hands by now
            raise LinkInvalid
        current.password = user.password
        do_save_password(current)
        if current.email_verified_at is None:
            User.objects.filter(pk=current.pk).update(email_verified_at=timezone.now())
        record(Kind.PASSWORD_RESET, actor=current, subject=current)
