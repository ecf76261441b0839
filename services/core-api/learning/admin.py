"""Enrolments in the admin site: granted, extended and revoked by actions, each with a reason; never edited or deleted."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from accounts.models import User
from config.confirmation import ReasonForm, confirmed
from config.model_admin import ReadOnlyModelAdmin
from learning.forms import UntilForm
from learning.grants import do_extend, do_revoke
from learning.models import Enrolment


@admin.register(Enrolment)
class EnrolmentAdmin(ReadOnlyModelAdmin):
    list_display = ["user", "course", "source", "started_at", "valid_until", "ended_at", "end_reason"]
    list_filter = ["source", ("ended_at", admin.EmptyFieldListFilter), "end_reason"]
    list_select_related = ["user", "course"]
    search_fields = ["user__username", "user__email", "course__title"]
    search_ids = ("pk", "user", "course")
    ordering = ["-id"]  # version 7: newest first
    fields = ["user", "course", "source", "order_line", "started_at", "valid_until", "ended_at", "end_reason"]
    actions = ["revoke", "extend"]

    def described(self, obj: Enrolment) -> str:
        until = f"until {obj.valid_until:%Y-%m-%d %H:%M} UTC" if obj.valid_until else "no end"
        ended = f", ended on {obj.ended_at:%Y-%m-%d}" if obj.ended_at else ""
        return f"{obj} ({obj.get_source_display().lower()}, {until}{ended})"

    def is_worth_offering(self, action: str, obj: Enrolment) -> bool:
        return obj.ended_at is None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("learning.add_enrolment") and request.user.has_perm("accounts.view_user")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        messages.info(request, "Choose the people here, then “Grant a course …” from the list of actions.")
        return HttpResponseRedirect(reverse("admin:accounts_user_changelist"))

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("learning.change_enrolment")

    @confirmed(
        "Revoke",
        "This enrolment ends, and with it what they are watching, within a second. No credit moves: to give it back, "
        "refund the order instead. If they have the course for another reason as well, they keep it.",
        permission="revoke",
        form=ReasonForm,
    )
    def revoke(self, request: HttpRequest, enrolment: Enrolment, given: dict[str, Any]) -> str:
        done = do_revoke(enrolment.pk, cast(User, request.user), given["reason"])
        return f"{enrolment}: ended." if done else f"{enrolment}: it had ended already."

    @confirmed("Extend", "They keep the course for longer, and pay nothing.", permission="revoke", form=UntilForm)
    def extend(self, request: HttpRequest, enrolment: Enrolment, given: dict[str, Any]) -> str:
        done = do_extend(enrolment.pk, cast(User, request.user), given["reason"], given["valid_until"])
        until = f"until the end of {given['last_day']}" if given["last_day"] else "without an end"
        return f"{enrolment}: {until}." if done else f"{enrolment}: {until} already."
