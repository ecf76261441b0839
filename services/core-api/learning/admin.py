"""Enrolments in the admin site: granting and ending them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from config.model_admin import LecternModelAdmin
from learning.actions import do_end
from learning.models import Enrolment


@admin.register(Enrolment)
class EnrolmentAdmin(LecternModelAdmin):
    """Adding one grants a course; bought ones come from orders. None is deleted: it is ended."""

    list_display = ["user", "course", "source", "started_at", "valid_until", "ended_at", "end_reason"]
    list_filter = ["source", ("ended_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user", "course"]
    search_fields = ["user__username", "user__email", "course__title"]
    ordering = ["-id"]  # version 7: newest first
    fields = ["user", "course", "valid_until"]
    raw_id_fields = ["user"]
    autocomplete_fields = ["course"]
    actions = ["end"]

    def save_model(self, request: HttpRequest, obj: Enrolment, form: ModelForm[Enrolment], change: bool) -> None:
        if not change:
            obj.source = Enrolment.Source.GRANT
        super().save_model(request, obj, form, change)

    def get_readonly_fields(self, request: HttpRequest, obj: Enrolment | None = None) -> list[str]:
        return ["user", "course"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.action(description="End now", permissions=["change"])
    def end(self, request: HttpRequest, enrolments: QuerySet[Enrolment]) -> None:
        ended = do_end(enrolments.values_list("pk", flat=True), "revoked")
        self.message_user(request, f"{ended} ended.", messages.SUCCESS)
