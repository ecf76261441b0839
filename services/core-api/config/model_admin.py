"""What every list and page of the admin site has in common. Whoever adds one builds it on LecternModelAdmin."""

from __future__ import annotations

import json
from functools import reduce
from operator import or_
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import Model, Q, QuerySet, UUIDField
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse

from accounts.finding import ids_named
from audit.actions import record
from audit.kinds import Kind
from config.confirmation import back_path


class LecternModelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # Django's class takes no [] at run time
    """Django's, which also writes what is added, changed and deleted into the audit log, in the same transaction.

    The log gets the labels of the fields that changed, never their values. Lists do not count a whole table to say how
    many rows a search left out. An action that needs a reason, or hurts when done by
    mistake, is a `confirmed` one (config/confirmation.py).
    """

    show_full_result_count = False
    list_per_page = 50
    search_ids: tuple[str, ...] = ("pk",)  # what an id in the search box is compared with: columns that have an index
    search_people: tuple[str, ...] = ()  # paths to people, who are found by their names with an index

    def get_search_fields(self, request: HttpRequest) -> list[str] | tuple[str, ...]:
        """Whatever is not empty shows the search box."""
        return tuple(self.search_fields) or self.search_people

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """An id finds rows by `search_ids`; everything else by `search_people` and by `search_fields`, columns of text alone.

        Django casts an id among `search_fields` to text in each row of the table, so that no index serves it.
        """
        try:
            given = UUID(search_term.strip())
        except ValueError:
            return self._found_by_words(request, queryset, search_term)
        columns = [name for name in self.search_ids if _is_uuid(self.model, name)]
        found = reduce(or_, (Q(**{name: given}) for name in columns), Q(pk__in=[]))
        return queryset.filter(found), False

    def _found_by_words(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By the person, or by the columns: a union, of which each half uses its own index. OR would read the whole table."""
        if not self.search_people or not search_term.strip():
            return super().get_search_results(request, queryset, search_term)
        by_person = [Q(**{f"{path}__in": ids_named(search_term)}) for path in self.search_people]
        if by_person[1:] == [] and not self.search_fields:
            return queryset.filter(*by_person), False
        rows = self.model._base_manager.order_by()
        halves = [rows.filter(named).values("pk") for named in by_person]
        if self.search_fields:
            halves.append(super().get_search_results(request, rows, search_term)[0].values("pk"))
        return queryset.filter(pk__in=halves[0].union(*halves[1:])), False

    def may_act_on(self, request: HttpRequest, obj: Any) -> bool:
        """Whether this row is one that the viewer's confirmed actions may touch; the action's permission they have."""
        return True

    def is_worth_offering(self, action: str, obj: Any) -> bool:
        """Whether the page of this row shows a button for the action. In the list it is there for every row."""
        return True

    def described(self, obj: Any) -> str:
        """How a confirmation names a row."""
        return str(obj)

    def links(self, request: HttpRequest, obj: Any) -> list[tuple[str, str]]:
        """What stands elsewhere about this row, as (text, address): for its page."""
        if not request.user.has_perm("audit.view_event"):
            return []
        query = urlencode({"subject_type": obj._meta.label_lower, "subject_id": obj.pk})
        return [("Audit log", f"{reverse('admin:audit_event_changelist')}?{query}")]

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any) -> Any:
        """Refuses what can be no row's id, which Django would ask the database for. From a row's own page, leads back to it."""
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        try:
            for pk in chosen:
                self.model._meta.pk.to_python(pk)
        except ValidationError as error:
            raise BadRequest from error
        if any("\0" in pk for pk in chosen):
            raise BadRequest
        answer = super().response_action(request, queryset, *args, **kwargs)
        to_the_list = isinstance(answer, HttpResponseRedirect) and answer.url == request.get_full_path()
        return HttpResponseRedirect(path) if to_the_list and (path := back_path(request)) else answer

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Adds the row's buttons and links to its page (templates/admin/change_form.html)."""
        if (obj := kwargs.get("obj")) is not None and kwargs.get("change"):
            actions: Any = self.get_actions(request).items() if self.may_act_on(request, obj) else []
            context["row_actions"] = [
                (name, description)
                for name, (act, _, description) in actions
                if getattr(act, "row_button", False) and self.is_worth_offering(name, obj)
            ]
            context["links"] = self.links(request, obj)
        return super().render_change_form(request, context, *args, **kwargs)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        record(Kind.ADMIN_ADDED, actor=request.user, subject=obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        record(Kind.ADMIN_CHANGED, actor=request.user, subject=obj, **what_changed(message))
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for obj in queryset:
            record(Kind.ADMIN_DELETED, actor=request.user, subject=obj)
        return super().log_deletions(request, queryset)


class ReadOnlyModelAdmin(LecternModelAdmin):
    """To be looked at by those who have the permission to; to be changed by actions alone."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _is_uuid(model: type[Model], name: str) -> bool:
    field: Any = model._meta.pk if name == "pk" else model._meta.get_field(name)
    return isinstance(field.target_field if field.is_relation else field, UUIDField)


class LecternInline(admin.TabularInline):  # type: ignore[type-arg]  # Django's class takes no [] at run time
    """A table on its parent's page, without empty rows to fill in."""

    extra = 0


class ReadOnlyInline(LecternInline):
    """`fields` to be looked at. With `newest`, which wants `fk_name`: the first so many of the parent's, in `ordering`."""

    max_num = 0
    can_delete = False
    newest: int | None = None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields or ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        if self.newest is None or not request.resolver_match:
            return rows
        own = rows.filter(**{str(self.fk_name): request.resolver_match.kwargs.get("object_id")})
        return rows.filter(pk__in=own.order_by(*(self.ordering or ())).values("pk")[: self.newest])


def what_changed(message: Any) -> dict[str, Any]:
    """`{"fields": ["Email"], "related": ["lesson added"]}` out of Django's change message: labels, no values.

    `{"what": "Published."}` where it is a sentence of our own.
    """
    entries = json.loads(message) if isinstance(message, str) and message.startswith("[") else message
    if not isinstance(entries, list):
        return {"what": str(message)}
    told: dict[str, Any] = {}
    for entry in entries:
        for verb, about in entry.items():
            if "name" in about:
                told.setdefault("related", []).append(f"{about['name']} {verb}")
            else:
                told.setdefault("fields", []).extend(about.get("fields", []))
    return told
