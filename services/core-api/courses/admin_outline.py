"""Sections and lessons in the admin site, which courses/admin.py registers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.forms import BaseModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import mark_safe

from courses import actions
from courses.admin_rights import OfCourses, OutlineInline
from courses.articles import as_html
from courses.models import Lesson, Section
from courses.serializers import MAX_BODY


class LessonInline(OutlineInline):
    model = Lesson
    fields = ["position", "title", "kind", "is_preview", "opens_after_days"]


class SectionAdmin(OfCourses):
    course_path = "course__"
    list_display = ["title", "course", "position", "lessons_count"]
    list_select_related = ["course"]
    search_fields = ["title", "course__title"]
    ordering = ["-id"]  # version 7: newest first
    autocomplete_fields = ["course"]
    inlines = [LessonInline]

    def get_readonly_fields(self, request: HttpRequest, obj: Section | None = None) -> list[str]:
        """A section stays in its course."""
        return ["course"] if obj else []

    def lessons_of(self, objs: Any) -> QuerySet[Lesson]:
        return Lesson.objects.filter(section__in=objs)

    def delete_model(self, request: HttpRequest, obj: Section) -> None:
        actions.do_delete_section(obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Section]:
        sections: QuerySet[Section] = super().get_queryset(request)
        return sections.annotate(lessons_count=Count("lessons"))

    @admin.display(description="lessons")
    def lessons_count(self, section: Any) -> int:
        return int(section.lessons_count)

    def save_related(self, request: HttpRequest, form: BaseModelForm[Section], *args: Any) -> None:
        super().save_related(request, form, *args)
        actions.renumber(form.instance.lessons.all())


class LessonAdmin(OfCourses):
    course_path = "section__course__"
    list_display = ["title", "course", "section", "position", "kind", "is_preview"]
    list_filter = ["kind", "is_preview"]
    list_select_related = ["section__course"]
    search_fields = ["title", "section__course__title"]
    readonly_fields = ["id", "article"]
    fieldsets = [
        (None, {"fields": ["section", "position", "title", "kind"]}),
        ("When it opens", {"fields": ["is_preview", "opens_on", "opens_after_days"]}),
        ("Text", {"fields": ["body", "article"]}),
        ("For the API", {"fields": ["id"]}),
    ]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "body":
            kwargs["max_length"] = MAX_BODY  # as by the API, and in archives
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        adding = request.resolver_match and "object_id" not in request.resolver_match.kwargs
        return ["section"] if adding else []

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A lesson stays in its course, and moves between its sections."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        lesson = request.resolver_match and request.resolver_match.kwargs.get("object_id")
        if field is not None and db_field.name == "section" and lesson:
            of_its_course = field.queryset.filter(course__sections__lessons=lesson).distinct()
            field.queryset = of_its_course.order_by("position", "id")
        return field

    @admin.display(description="as learners see it, when saved")
    def article(self, lesson: Lesson) -> str:
        return mark_safe(as_html(lesson.body))  # noqa: S308  sanitised

    def lessons_of(self, objs: Any) -> QuerySet[Lesson]:
        return Lesson.objects.filter(pk__in=[lesson.pk for lesson in objs])

    def delete_model(self, request: HttpRequest, obj: Lesson) -> None:
        actions.do_delete_lesson(obj)

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(self.video_page)
        return [path("<uuid:lesson>/video/", page, name="courses_lesson_video"), *super().get_urls()]

    def links(self, request: HttpRequest, obj: Lesson) -> list[tuple[str, str]]:
        others = super().links(request, obj)
        if obj.kind != Lesson.Kind.VIDEO or not self.has_change_permission(request, obj):
            return others
        return [("Upload a video", reverse("admin:courses_lesson_video", args=[obj.pk])), *others]

    def video_page(self, request: HttpRequest, lesson: UUID) -> HttpResponse:
        """Uploads the lesson's video, with a progress bar (media/static/media/upload.js)."""
        found = self.get_object(request, str(lesson))
        if found is None or found.kind != Lesson.Kind.VIDEO:
            raise Http404
        if not self.has_change_permission(request, found):
            raise PermissionDenied
        context = self.admin_site.each_context(request) | {
            "title": "Upload a video",
            "opts": self.opts,
            "lesson": found,
            "has_video": found.packages.exists(),
        }
        return TemplateResponse(request, "media/upload.html", context)

    @admin.display(ordering="section__course__title")
    def course(self, lesson: Lesson) -> str:
        return str(lesson.section.course)
