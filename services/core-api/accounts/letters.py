"""The mails that people get about their account. They name people by username, which nobody can fill with a message."""

from __future__ import annotations

from django.conf import settings
from django.utils import timezone

from accounts.models import LoginSession, User
from mail.actions import do_queue

NOT_YOU = f"Was that not you? Set a new password at {settings.ACCOUNT_URL}/reset/ at once: that ends every login."


def verify_email(user: User, token: str) -> None:
    text = (
        "Please confirm that this e-mail address is yours by opening this link within a day:",
        _link("verify", token),
        "If you did not make an account here, do nothing: somebody mistyped an address.",
    )
    _queue("verify_email", user, "Confirm your e-mail address", *text)


def change_email(user: User, token: str, new: str) -> None:
    text = (
        "You asked for this to be the e-mail address of your account. Open this link within a day to confirm:",
        _link("verify", token),
        "If you did not ask for that, do nothing.",
    )
    _queue("change_email", user, "Confirm your new e-mail address", *text, to=new)


def email_change_asked(user: User) -> None:
    """To the present address."""
    text = (
        "Somebody who knows your password asked for another e-mail address for your account. It takes effect as soon as "
        "it is confirmed from there; a new password drops it.",
        NOT_YOU,
    )
    _queue("email_change_asked", user, "Your e-mail address is about to change", *text)


def email_changed(user: User, old: str) -> None:
    text = (
        "The e-mail address of your account was changed, so this is the last mail to you here.",
        "Was that not you? Answer this mail at once.",
    )
    _queue("email_changed", user, "Your e-mail address was changed", *text, to=old)


def password_reset(user: User, token: str) -> None:
    text = (
        "Somebody, probably you, asked for a new password for your account. Open this link within an hour to set one:",
        _link("reset", token),
        "If that was not you, do nothing: your password stays as it is.",
    )
    _queue("password_reset", user, "Set a new password", *text)


def password_changed(user: User) -> None:
    text = ("The password of your account was changed, and every login was ended.", NOT_YOU)
    _queue("password_changed", user, "Your password was changed", *text)


def new_device(user: User, device: str, address: str | None) -> None:
    """`device` in words of ours; the address is the one that the person finds in the list of their logins."""
    origin = f", from the address {address}" if address else ""
    text = (
        f"Somebody logged in to your account on {timezone.now():%d %B %Y at %H:%M} UTC with {device}{origin}. Your account was "
        "not used from there of late.",
        "If that was you, there is nothing to do.",
        NOT_YOU,
    )
    _queue("new_device", user, "New login to your account", *text)


def token_reused(user: User, session: LoginSession) -> None:
    text = (
        f"Your login of {session.created_at:%d %B %Y, %H:%M} UTC has been ended, because its key was used twice: a copy of "
        "it may be in other hands. Please log in again.",
        f"If you do not know that login, also set a new password at {settings.ACCOUNT_URL}/reset/.",
    )
    _queue("token_reused", user, "One of your logins has been ended", *text)


def _link(page: str, token: str) -> str:
    """The token stands in the fragment, which browsers send nowhere: no log and no Referer ever holds it."""
    return f"{settings.ACCOUNT_URL}/{page}/#token={token}"


def _queue(kind: str, user: User, subject: str, *paragraphs: str, to: str | None = None) -> None:
    text = "\n\n".join([f"Hello {user.username},", *paragraphs, f"-- \nLectern, {settings.PUBLIC_URL}"])
    do_queue(kind, user, f"Lectern: {subject[0].lower()}{subject[1:]}", text + "\n", to=to)
