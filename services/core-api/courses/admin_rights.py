"""Whose courses somebody sees and changes in the admin site: what its pages about courses are built on."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.forms import BaseModelForm
from django.http import HttpRequest

from config.model_admin import LecternInline, LecternModelAdmin
from courses import actions
from courses.models import Lesson


class OfCourses(LecternModelAdmin):
    """Courses and what is in them. `courses.manage` opens one's own, `courses.manage_all` and Django's permissions all."""

    course_path = ""  # from a row to its course

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(self._own(request)) if only_own(request) else rows

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return manages(request) or super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return manages(request) or super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return manages(request) or super().has_change_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return manages(request) or super().has_module_permission(request)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Nothing of one's own is moved into a course of somebody else's."""
        related = self.admin_site._registry.get(db_field.remote_field.model)
        if isinstance(related, OfCourses) and only_own(request):
            kwargs["queryset"] = related.get_queryset(request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: BaseModelForm[Any], change: bool) -> None:
        """Writes what was changed here alone: a course may be published, or get its poster, while its form is open."""
        columns = {field.name for field in obj._meta.concrete_fields}
        obj.save(update_fields=columns.intersection(form.changed_data) if change else None)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """Who may delete a course may delete its parts with it; what people have is shown as what stands in the way."""
        listed, counts, _, protected = super().get_deleted_objects(objs, request)
        return listed, counts, set(), [*protected, *self.in_use(objs)]

    def in_use(self, objs: Any) -> list[str]:
        """Sentences about what people have, and which is therefore not deleted."""
        return [f"People have the lesson: {lesson}" for lesson in actions.had(self.lessons_of(objs))]

    def lessons_of(self, objs: Any) -> QuerySet[Lesson]:
        raise NotImplementedError

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            self.delete_model(request, row)

    def _own(self, request: HttpRequest) -> Q:
        return Q(**{f"{self.course_path}instructors": request.user.pk})


def manages(request: HttpRequest) -> bool:
    """Whose courses they are, `OfCourses.get_queryset` says: no page opens a row that is not in it."""
    return request.user.has_perm("courses.manage") or request.user.has_perm("courses.manage_all")


def only_own(request: HttpRequest) -> bool:
    return request.user.has_perm("courses.manage") and not request.user.has_perm("courses.manage_all")


class OutlineInline(LecternInline):
    """Part of the page of a course, for whoever may change that course."""

    show_change_link = True
    can_delete = False  # on its own page, which says what goes with it

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return manages(request) or super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return manages(request) or super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return manages(request) or super().has_change_permission(request, obj)
