"""Reading the mails that people would get."""

from __future__ import annotations

import re

from accounts import passwords
from accounts.models import PasswordResetRequest, User
from mail.models import Mail


def mails(user: User) -> list[tuple[str, str]]:
    """(kind, recipient) of every mail to this person, oldest first."""
    return list(Mail.objects.filter(user=user).order_by("created_at").values_list("kind", "to"))


def token_for(user: User, kind: str) -> str:
    """The secret in the link of the newest mail of this kind."""
    mail = Mail.objects.filter(user=user, kind=kind).order_by("created_at").last()
    assert mail is not None, f"no {kind} to {user}: {mails(user)}"
    (token,) = re.findall(r"http://127\.0\.0\.1:8000/account/(?:verify|reset)/#token=(\S+)", mail.text)
    return str(token)


def run_reset_jobs() -> None:
    for request in PasswordResetRequest.objects.values_list("pk", flat=True):
        passwords.send_reset(request)
