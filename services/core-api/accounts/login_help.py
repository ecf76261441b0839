"""What an admin does for somebody who cannot log in any more: two actions on a person's page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from accounts import administration
from accounts.models import User
from config.confirmation import ReasonForm, confirmed
from config.requests import person


class LogInHelp:
    """Mixed into the admin of people."""

    @confirmed(
        "Forget failed log-ins",
        "They need not wait before they try to log in again. Their address, if it has to wait, goes on waiting.",
        permission="change",
    )
    def forget_failed_logins(self, request: HttpRequest, user: User, given: dict[str, Any]) -> str:
        administration.do_forget_failed_logins(user, person(request))
        return f"{user} may try to log in at once."

    @confirmed(
        "Remove authenticator app",
        "They log in by their password alone until they set up another app, and every login of theirs ends, since one "
        "may be on the lost device. Be sure that it is they who ask.",
        permission="change",
        form=ReasonForm,
    )
    def remove_second_factor(self, request: HttpRequest, user: User, given: dict[str, Any]) -> str:
        done = administration.do_remove_second_factor(user, person(request), given["reason"])
        return f"{user} has no authenticator app any more." if done else f"{user} has no authenticator app."
