"""The page of the admin site on which staff set up their authenticator app, and remove it."""

from __future__ import annotations

from typing import Any, cast

import segno
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts import second_factor
from accounts.errors import OtpInvalid
from accounts.login_form import as_form_error
from accounts.models import TotpDevice, User
from accounts.passwords import check_current_password
from accounts.second_factor_site import GAVE_CODE, gave_enough, note_code
from config.permissions import declares
from config.problems import Problem


class PasswordForm(forms.Form):
    """What a stolen session must not suffice for."""

    password = forms.CharField(
        label="Your password", strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        try:
            check_current_password(self.user, password)
        except Problem as problem:
            raise as_form_error(problem) from problem
        return password


class ConfirmForm(PasswordForm):
    code = forms.CharField(
        label="Code that the app shows",
        max_length=10,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )
    field_order = ["code", "password"]


@method_decorator([never_cache, sensitive_post_parameters("password", "code")], name="dispatch")
class SecondFactorPage(View):
    """Each button posts its `act`. Secrets and recovery codes are shown in the answer to a POST, once, and never again."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if settings.STAFF_TOTP == "off":
            raise Http404
        user = request.user
        if not isinstance(user, User) or not user.is_active or not second_factor.concerns(user):
            return redirect_to_login(request.path, reverse("admin:login"))
        self.user = user
        self.device = second_factor.confirmed_device(user)
        if self.device is not None and not gave_enough(request):
            return redirect_to_login(request.path, reverse("admin:login"))  # which asks for a code
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(form=PasswordForm(self.user))

    def post(self, request: HttpRequest) -> HttpResponse:
        act = {"begin": self._begin, "confirm": self._confirm, "codes": self._codes, "remove": self._remove}.get(
            request.POST.get("act", "")
        )
        try:
            return act() if act else redirect("second_factor")
        except Problem as problem:
            messages.error(request, problem.detail)
            return redirect("second_factor")

    def _begin(self) -> HttpResponse:
        return self._set_up(second_factor.do_begin(self.user), ConfirmForm(self.user))

    def _confirm(self) -> HttpResponse:
        form = ConfirmForm(self.user, self.request.POST)
        if form.is_valid():
            try:
                codes = second_factor.do_confirm(self.user, form.cleaned_data["code"])
            except OtpInvalid as refused:
                form.add_error("code", ValidationError(refused.detail))
            else:
                note_code(self.request, self.user)
                return self._page(new_codes=codes)
        return self._set_up(second_factor.waiting_device(self.user), form)

    def _codes(self) -> HttpResponse:
        form = PasswordForm(self.user, self.request.POST)
        if not form.is_valid():
            return self._page(form=form)
        return self._page(new_codes=second_factor.do_replace_recovery_codes(self.user))

    def _remove(self) -> HttpResponse:
        form = PasswordForm(self.user, self.request.POST)
        if not form.is_valid():
            return self._page(form=form)
        second_factor.do_remove(self.user, by=self.user)
        self.request.session.pop(GAVE_CODE, None)
        messages.success(self.request, "Your authenticator app is removed: nobody is asked for its codes any more.")
        return redirect("second_factor")

    def _set_up(self, device: TotpDevice, form: ConfirmForm) -> HttpResponse:
        code = segno.make(second_factor.setup_address(device), micro=False)
        return self._page(
            form=form,
            qr_code=code.svg_data_uri(scale=5, light="white"),
            secret=second_factor.secret_text(device),
        )

    def _page(self, **context: Any) -> HttpResponse:
        device = second_factor.confirmed_device(self.user)
        shown = admin.site.each_context(self.request) | {
            "title": "Authenticator app",
            "subtitle": None,
            "device": device,
            "unused_codes": device.recovery_codes.filter(used_at=None).count() if device else 0,
            "is_demanded": second_factor.is_demanded_of(self.user),
        }
        if not shown["has_permission"]:  # nothing else is open to them
            shown |= {"is_nav_sidebar_enabled": False, "available_apps": []}
        return TemplateResponse(self.request, "accounts/second_factor.html", shown | context)


second_factor_page = declares("staff")(cast(Any, SecondFactorPage.as_view()))
