"""The forms with which staff prove to the admin site who they are: with the counters and codes of the API's log-in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm, AdminPasswordChangeForm
from django.contrib.auth.forms import UsernameField
from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError, transaction
from django.http import HttpRequest
from django.utils.html import format_html
from django.views.decorators.debug import sensitive_variables

from accounts.actions import set_password
from accounts.identification import Identified, identify
from accounts.models import User
from accounts.passwords import check_current_password
from accounts.second_factor import concerns
from audit.actions import record
from audit.kinds import Kind
from config.client_address import client_address
from config.problems import Problem, Unavailable


class LoginForm(AdminAuthenticationForm):
    """Says what the API says. Leaves `request.login_outcome` for the view: who it is, or the Problem."""

    request: HttpRequest
    error_messages = {
        **AdminAuthenticationForm.error_messages,
        # Django's asks for the right name and password, which these were.
        "invalid_login": "The password is right, but this account is not one of the staff. An admin can make it one.",
    }

    username = UsernameField(
        label="Username or e-mail address", max_length=254, widget=forms.TextInput(attrs={"autofocus": True})
    )
    otp = forms.CharField(
        label="One-time code",
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
        help_text="Of your authenticator app, or a recovery code. Empty if you have not set up any.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs["maxlength"] = "254"  # Django's 40 are too few for an address

    @sensitive_variables("password")
    def clean(self) -> dict[str, Any]:
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if name and password:
            who = self._identify(name, password, self.cleaned_data.get("otp", ""))
            self.confirm_login_allowed(who.user)
            self.user_cache = who.user
            self._tell(who)
        return self.cleaned_data

    def confirm_login_allowed(self, user: Any) -> None:
        """Staff, and whoever finds the page of their authenticator app here, though nothing else (accounts/second_factor.py)."""
        if settings.STAFF_TOTP == "off" or not concerns(user):
            super().confirm_login_allowed(user)

    @sensitive_variables("password")
    def _identify(self, name: str, password: str, code: str) -> Identified:
        try:
            return identify(name, password, code, client_address(self.request))
        except Problem as problem:
            self._tell(problem)
            raise as_form_error(problem) from problem
        except (OperationalError, InterfaceError) as error:
            self._tell(Unavailable(headers={"Retry-After": "1"}))
            raise as_form_error(Unavailable()) from error

    def _tell(self, outcome: Identified | Problem) -> None:
        self.request.login_outcome = outcome  # type: ignore[attr-defined]  # requests take attributes


class OwnPasswordForm(AdminPasswordChangeForm):
    """Django's, with what a changed password means here."""

    user: User

    def clean_old_password(self) -> str:
        password: str = self.cleaned_data["old_password"]
        try:
            check_current_password(self.user, password)
        except Problem as problem:
            raise as_form_error(problem) from problem
        return password

    def save(self, commit: bool = True) -> User:
        """Sets the password and ends every login of the person, but for this session of the admin site."""
        with transaction.atomic():
            set_password(self.user, self.cleaned_data["new_password1"])
            record(Kind.PASSWORD_CHANGED, actor=self.user, subject=self.user)
        return self.user


def as_form_error(problem: Problem) -> ValidationError:
    if wait := problem.headers.get("Retry-After"):
        return ValidationError(format_html("{} ({} s)", problem.detail, wait), code=problem.code)
    return ValidationError(problem.detail, code=problem.code)
