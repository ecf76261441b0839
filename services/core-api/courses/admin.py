"""Courses, their outline and their categories in the admin site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.forms import BaseModelForm
from django.http import HttpRequest

from config.model_admin import LecternModelAdmin
from courses import actions
from courses.errors import CourseIncomplete
from courses.models import Category, Course, Lesson, Section


@admin.register(Category)
class CategoryAdmin(LecternModelAdmin):
    list_display = ["name", "slug"]
    search_fields = ["name"]
    prepopulated_fields = {"slug": ["name"]}


class SectionInline(admin.TabularInline):  # type: ignore[type-arg]  # ditto
    model = Section
    fields = ["position", "title"]
    extra = 0
    show_change_link = True


class LessonInline(admin.TabularInline):  # type: ignore[type-arg]  # ditto
    model = Lesson
    fields = ["position", "title", "kind", "is_preview"]
    extra = 0
    show_change_link = True


@admin.register(Course)
class CourseAdmin(LecternModelAdmin):
    list_display = ["title", "status", "price", "category", "level", "language", "published_at"]
    list_filter = ["status", "category", "level", "language"]
    list_select_related = ["category"]
    search_fields = ["title", "slug"]
    ordering = ["-id"]  # version 7: newest first
    readonly_fields = ["status", "published_at"]
    raw_id_fields = ["instructors"]
    inlines = [SectionInline]
    actions = ["publish", "withdraw"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Course]:
        """Instructors see their own."""
        courses: QuerySet[Course] = super().get_queryset(request)
        own_only = request.user.has_perm("courses.manage") and not request.user.has_perm("courses.manage_all")
        return courses.filter(instructors=request.user.pk) if own_only else courses

    def get_readonly_fields(self, request: HttpRequest, obj: Course | None = None) -> list[str]:
        """A course's address is chosen once."""
        return [*self.readonly_fields, "slug"] if obj else self.readonly_fields

    def get_prepopulated_fields(self, request: HttpRequest, obj: Course | None = None) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ["title"]}

    def save_related(self, request: HttpRequest, form: BaseModelForm[Course], *args: Any) -> None:
        super().save_related(request, form, *args)
        actions.renumber(form.instance.sections.all())

    @admin.action(description="Publish", permissions=["change"])
    def publish(self, request: HttpRequest, courses: QuerySet[Course]) -> None:
        for course in courses:
            try:
                actions.do_publish(course)
            except CourseIncomplete as refusal:
                sentences = [sentence for about in (refusal.errors or {}).values() for sentence in about]
                self.message_user(request, f"{course} is incomplete: {' '.join(sentences)}", messages.ERROR)
            else:
                self.message_user(request, f"{course} is on sale.", messages.SUCCESS)

    @admin.action(description="Take off sale (who has it keeps it)", permissions=["change"])
    def withdraw(self, request: HttpRequest, courses: QuerySet[Course]) -> None:
        for course in courses:
            actions.do_unpublish(course)
            self.message_user(request, f"{course} is not on sale.", messages.SUCCESS)


@admin.register(Section)
class SectionAdmin(LecternModelAdmin):
    list_display = ["title", "course", "position", "lessons_count"]
    list_select_related = ["course"]
    search_fields = ["title", "course__title"]
    autocomplete_fields = ["course"]
    inlines = [LessonInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Section]:
        sections: QuerySet[Section] = super().get_queryset(request)
        return sections.annotate(lessons_count=Count("lessons"))

    @admin.display(description="lessons")
    def lessons_count(self, section: Any) -> int:
        return int(section.lessons_count)

    def save_related(self, request: HttpRequest, form: BaseModelForm[Section], *args: Any) -> None:
        super().save_related(request, form, *args)
        actions.renumber(form.instance.lessons.all())


@admin.register(Lesson)
class LessonAdmin(LecternModelAdmin):
    list_display = ["title", "course", "section", "position", "kind", "is_preview"]
    list_filter = ["kind", "is_preview"]
    list_select_related = ["section__course"]
    search_fields = ["id__exact", "title", "section__course__title"]
    autocomplete_fields = ["section"]
    readonly_fields = ["id"]

    @admin.display(ordering="section__course__title")
    def course(self, lesson: Lesson) -> str:
        return str(lesson.section.course)
