"""The admin site's log-in: counted as the API's, with one-time codes, and closed to staff who must give one and did not."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from accounts.devices import do_note_login
from accounts.identification import Identified
from accounts.login_form import LoginForm, OwnPasswordForm
from accounts.models import User
from accounts.second_factor import concerns, confirmed_device, is_demanded_of
from accounts.sessions import client_of
from audit.actions import record
from audit.kinds import Kind
from config.problems import Problem

GAVE_CODE = "gave_code"  # in the session: the id of the person who gave a one-time code when it began


def gave_enough(request: HttpRequest) -> bool:
    """Whether this session of the admin site may be used by whose it is, as far as one-time codes go."""
    user = request.user
    if not isinstance(user, User) or not is_demanded_of(user):
        return True
    return bool(request.session.get(GAVE_CODE) == str(user.pk))


def note_code(request: HttpRequest, user: User) -> None:
    request.session[GAVE_CODE] = str(user.pk)


def _sets_up_a_device(request: HttpRequest) -> bool:
    """Whether all that the admin site has for them now is the page of their authenticator app."""
    user = request.user
    if settings.STAFF_TOTP == "off" or not isinstance(user, User) or not user.is_active or not concerns(user):
        return False
    if gave_enough(request):
        return not user.is_staff
    return confirmed_device(user) is None  # with one, they log in again, with a code


class SecondFactorSite(AdminSite):
    login_form = LoginForm
    login_template = "accounts/login.html"

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and gave_enough(request)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return super().each_context(request) | {"asks_for_codes": settings.STAFF_TOTP != "off"}

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "GET" and _sets_up_a_device(request):
            return HttpResponseRedirect(reverse("second_factor"))
        response = super().login(request, extra_context)
        match getattr(request, "login_outcome", None):  # which LoginForm leaves there
            case Identified() as who if isinstance(response, HttpResponseRedirect):
                self._note(request, who)
            case Problem(status=429 | 503) as problem:
                response.status_code = problem.status
                response.headers["Retry-After"] = problem.headers["Retry-After"]
        return response

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """As Django's, whose form would let somebody guess the present password."""
        request.current_app = self.name
        view = PasswordChangeView.as_view(
            form_class=OwnPasswordForm,
            success_url=reverse("admin:password_change_done", current_app=self.name),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return cast(TemplateResponse, view(request))

    def _note(self, request: HttpRequest, who: Identified) -> None:
        with transaction.atomic():
            # One log-in of a person after the other, as the API's: of two from one new device one is news.
            user = User.objects.select_for_update(no_key=True).get(pk=who.user.pk)
            do_note_login(user, client_of(request))
            record(Kind.LOGIN, actor=user, subject=user, by="admin_form")
        if who.second_factor:
            note_code(request, who.user)
