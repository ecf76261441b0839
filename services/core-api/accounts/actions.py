"""Everything that changes people, and what it means for their login sessions (accounts/sessions.py)."""

from __future__ import annotations

from django.contrib.auth import authenticate
from django.db import IntegrityError, transaction

from accounts.errors import InvalidCredentials
from accounts.models import LoginSession, User
from accounts.sessions import Client, Tokens, end_sessions, of_token, open_session
from config.problems import Invalid


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


def log_out(token: str) -> None:
    """Ends the session that a refresh token belongs to. Does nothing for one that is unknown or over."""
    end_sessions(of_token(token), "logged_out")


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
