"""Everything that changes people, and what it means for their login sessions (accounts/sessions.py)."""

from __future__ import annotations

import uuid

from django.db import IntegrityError, transaction

from accounts import admin_tokens, devices, letters, mailed_tokens
from accounts.errors import InvalidCredentials, OtpEnrolmentRequired
from accounts.identification import identify
from accounts.mailed_tokens import Purpose
from accounts.models import LoginSession, User
from accounts.sessions import Client, Tokens, end_sessions, of_token, open_session
from audit.actions import record
from audit.kinds import Kind
from config.problems import Invalid, NotFound


def register(username: str, email: str, password: str) -> User:
    """A new person. The fields are valid; Invalid says which of them somebody else has, however close the race."""
    try:
        with transaction.atomic():
            user = User.objects.create_user(username, email, password)
            letters.verify_email(user, mailed_tokens.issue(user, Purpose.VERIFY_EMAIL, user.email))
            record(Kind.REGISTERED, actor=user, subject=user)
            return user
    except IntegrityError as error:
        taken: dict[str, list[str]] = {}
        if User.objects.named(username).exists():
            taken["username"] = ["That name is taken."]
        if User.objects.named(email).exists():
            taken["email"] = ["That e-mail address is in use."]
        if not taken:
            raise
        raise Invalid(errors=taken) from error


def log_in(username: str, password: str, client: Client, otp: str = "") -> Tokens:
    """Opens a login session. Raises what `identify` does, and OtpEnrolmentRequired."""
    who = identify(username, password, otp, client.address)
    if who.must_set_up_a_device:
        raise OtpEnrolmentRequired
    user = who.user
    with transaction.atomic():
        # Whoever changes the password or deactivates the person meanwhile takes this row: no login slips through.
        unchanged = User.objects.select_for_update(no_key=True).filter(
            pk=user.pk, password=user.password, is_active=True
        )
        current = unchanged.first()
        if current is None:
            raise InvalidCredentials
        tokens = open_session(current, client, second_factor=who.second_factor)
        devices.do_note_login(current, client)
        record(Kind.LOGIN, actor=current, subject=current)
        return tokens


def rename(user: User, name: str) -> None:
    """Writes the display name and nothing else: a whole row could undo a deactivation that happened meanwhile.

    Nor does it name anew who was erased meanwhile.
    """
    User.objects.filter(pk=user.pk, erased_at__isnull=True).update(name=name)
    user.name = name


def want_chat_mails(user: User, wanted: bool) -> None:
    """Whether they get mails about unread messages in support tickets. Writes that and nothing else, too."""
    user.chat_mails = wanted
    user.save(update_fields=["chat_mails"])


def log_out(token: str) -> None:
    """Ends the session that a refresh token belongs to. Does nothing for one that is unknown or over."""
    with transaction.atomic():
        for session in end_sessions(of_token(token), "logged_out"):
            record(Kind.LOGOUT, actor=session.user_id, subject=session)


def log_out_everywhere(user: User, reason: str = "log_out_everywhere", by: User | None = None) -> None:
    """Makes every token of the person useless, on all services, within a second. `by` goes into the audit log."""
    with transaction.atomic():
        current = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        current.generation += 1
        current.save(update_fields=["generation"])
        end_sessions(LoginSession.objects.filter(user=user), reason)
        if by is not None:
            record(Kind.LOGOUT_EVERYWHERE, actor=by, subject=user)


def set_password(user: User, password: str | None) -> None:
    """A new password, already validated, or none at all. Ends every login of the person. Updates `user`, too."""
    user.set_password(password)
    do_save_password(user)


def do_save_password(user: User) -> None:
    """Writes the password that `user` was given, ends every login of the person and tells them.

    It also ends what somebody else may have begun: mailed links that set a password or change the address.
    """
    with transaction.atomic():
        user.save(update_fields=["password"])
        log_out_everywhere(user, "password_changed")
        mailed_tokens.spend_all(user, Purpose.RESET_PASSWORD, Purpose.CHANGE_EMAIL)
        letters.password_changed(user)
        user.refresh_from_db(fields=["generation"])


def end_session(user: User, session_id: uuid.UUID) -> None:
    """Ends one of the person's own logins. Raises NotFound for anybody else's; one that is over stays over.

    One that lives from a session of the admin site takes that along, which would open another one at once.
    """
    own = LoginSession.objects.filter(pk=session_id, user=user)
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)  # nobody gets a token of that session meanwhile
        if not own.exists():
            raise NotFound
        for session in end_sessions(own, "ended_by_owner"):
            record(Kind.SESSION_ENDED, actor=user, subject=session)
            if session.admin_session:
                admin_tokens.do_end_admin_session(bytes(session.admin_session))


def deactivate(user: User) -> None:
    with transaction.atomic():
        log_out_everywhere(user, "deactivated")
        User.objects.filter(pk=user.pk).update(is_active=False)
