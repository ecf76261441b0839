"""The audit log in the admin site: to be read by those who may, and changed by nobody."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import User
from audit.kinds import Kind
from audit.models import Event
from audit.sentences import NAMED_BY, USER, tell
from config.model_admin import ReadOnlyModelAdmin


class Kinds(admin.SimpleListFilter):
    title = parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, kind.value.replace("_", " ")) for kind in Kind]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class EventList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        told = tell(self.result_list)
        for event in self.result_list:
            event.told = told[event.pk]


@admin.register(Event)
class EventAdmin(ReadOnlyModelAdmin):
    list_display = ["when", "summary", "subject", "reason", "address"]
    list_filter = [Kinds, "at"]
    search_fields = ["id"]  # shows the search box; get_search_results says what it finds
    search_help_text = "A username, an e-mail address, or the id of an event or of what it was done to."
    ordering = ["-id"]  # version 7: newest first
    fields = ["when", "summary", "kind", "actor", "subject", "address", "request_id", "what"]
    list_per_page = 100

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return EventList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Event | None:
        event: Event | None = super().get_object(request, object_id, from_field)
        if event is not None:
            event.told = tell([event])[event.pk]  # type: ignore[attr-defined]  # beside the row, for the methods below
        return event

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """By ids alone, each of which has an index: the log is the longest table there is."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(pk__in=[])
        for person in User.objects.named(term):
            found |= Q(actor_id=person.pk) | Q(subject_type=USER, subject_id=str(person.pk))
        try:
            given = uuid.UUID(term)
        except ValueError:
            return queryset.filter(found), False
        found |= Q(pk=given) | Q(actor_id=given) | Q(subject_type__in=_types(), subject_id=str(given))
        return queryset.filter(found), False

    def links(self, request: HttpRequest, obj: Event) -> list[tuple[str, str]]:
        return []

    @admin.display(description="when (UTC)", ordering="id")
    def when(self, event: Event) -> str:
        return f"{event.at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="what happened")
    def summary(self, event: Any) -> str:
        return str(event.told.summary)

    @admin.display
    def actor(self, event: Any) -> str | SafeString:
        return _linked(USER, event.actor_id, event.told.actor) if event.actor_id else event.told.actor

    @admin.display(description="done to")
    def subject(self, event: Any) -> str | SafeString:
        return (
            _linked(event.subject_type, event.subject_id, event.told.subject) if event.subject_type else "nobody known"
        )

    @admin.display
    def reason(self, event: Event) -> str:
        return str(event.detail.get("reason", "")) if isinstance(event.detail, dict) else ""

    @admin.display(description="detail")
    def what(self, event: Event) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(event.detail, indent=2, ensure_ascii=False))


def _linked(label: str, pk: object, name: str) -> str | SafeString:
    try:
        url = reverse(f"admin:{label.replace('.', '_')}_change", args=[pk])
    except NoReverseMatch:
        return name
    return format_html('<a href="{}">{}</a>', url, name)


def _types() -> list[str]:
    """Whatever has a page here: what an event may be about."""
    return sorted({model._meta.label_lower for model in admin.site._registry} | NAMED_BY.keys())
