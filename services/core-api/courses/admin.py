"""Courses, bundles and their labels in the admin site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archives.admin import ArchivesAdmin
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import BaseModelForm, ModelForm
from django.http import HttpRequest

from config.confirmation import on_its_page
from config.model_admin import LecternModelAdmin
from config.requests import person
from courses import actions, queries
from courses.admin_outline import LessonAdmin, SectionAdmin
from courses.admin_rights import OfCourses, OutlineInline, only_own
from courses.completeness import field_gaps
from courses.errors import CourseIncomplete
from courses.models import Bundle, Category, Course, Lesson, Section, Tag
from courses.serializers import MAX_TAGS

admin.site.register(Section, SectionAdmin)
admin.site.register(Lesson, LessonAdmin)


@admin.register(Category)
class CategoryAdmin(LecternModelAdmin):
    list_display = ["name", "slug"]
    search_fields = ["name"]
    prepopulated_fields = {"slug": ["name"]}


@admin.register(Tag)
class TagAdmin(LecternModelAdmin):
    list_display = ["name", "slug"]
    search_fields = ["name"]
    prepopulated_fields = {"slug": ["name"]}


class SectionInline(OutlineInline):
    model = Section
    fields = ["position", "title"]


class CourseForm(ModelForm):  # type: ignore[type-arg]  # Django's class takes no [] at run time
    """As by the API: a course on sale keeps what it needed to be published, and its address is one that nothing else has."""

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        if slug in actions.RESERVED:
            raise ValidationError("This address is taken by the API itself. Choose another.")
        return slug

    def clean_tags(self) -> QuerySet[Tag]:
        tags: QuerySet[Tag] = self.cleaned_data["tags"]
        if len(tags) > MAX_TAGS:
            raise ValidationError(f"A course has at most {MAX_TAGS} tags.")
        return tags

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # Django's hook, which its stubs leave out
        if self.instance.status == Course.Status.PUBLISHED:
            for field, sentences in field_gaps(self.instance).items():
                self.add_error(field, sentences)


@admin.register(Course)
class CourseAdmin(ArchivesAdmin, OfCourses):
    form = CourseForm
    list_display = ["title", "status", "price", "category", "level", "language", "published_at"]
    list_filter = ["status", "category", "tags", "level", "language"]
    list_select_related = ["category"]
    search_fields = ["title", "slug"]
    ordering = ["-id"]  # version 7: newest first
    readonly_fields = ["status", "published_at"]
    filter_horizontal = ["tags", "instructors"]
    inlines = [SectionInline]
    actions = ["publish", "withdraw", "duplicate"]

    def get_readonly_fields(self, request: HttpRequest, obj: Course | None = None) -> list[str]:
        """A course's address is chosen once, and its instructors by others."""
        fixed = [*self.readonly_fields, "slug"] if obj else self.readonly_fields
        return [*fixed, "instructors"] if only_own(request) else fixed

    def get_prepopulated_fields(self, request: HttpRequest, obj: Course | None = None) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ["title"]}

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "instructors":
            kwargs["queryset"] = queries.possible_instructors()
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def in_use(self, objs: Any) -> list[str]:
        """Enrolments and order lines stand in the way by themselves."""
        bundles = Bundle.objects.filter(courses__in=[course.pk for course in objs]).distinct()
        return [f"The bundle is sold with it: {bundle}" for bundle in bundles]

    def delete_model(self, request: HttpRequest, obj: Course) -> None:
        actions.do_delete_course(obj)

    def save_related(self, request: HttpRequest, form: BaseModelForm[Course], *args: Any) -> None:
        super().save_related(request, form, *args)
        if only_own(request):  # who makes one teaches it, or would see it no more
            form.instance.instructors.add(person(request))
        actions.renumber(form.instance.sections.all())

    def is_worth_offering(self, action: str, obj: Course) -> bool:
        on_sale = obj.status == Course.Status.PUBLISHED
        return {"publish": not on_sale, "withdraw": on_sale}.get(action, True)

    @on_its_page
    @admin.action(description="Publish", permissions=["change"])
    def publish(self, request: HttpRequest, courses: QuerySet[Course]) -> None:
        for course in courses:
            try:
                actions.do_publish(course)
            except CourseIncomplete as refusal:
                sentences = [sentence for about in (refusal.errors or {}).values() for sentence in about]
                self.message_user(request, f"{course} is incomplete: {' '.join(sentences)}", messages.ERROR)
            else:
                self.log_change(request, course, "Published.")
                self.message_user(request, f"{course} is on sale.", messages.SUCCESS)

    @on_its_page
    @admin.action(description="Take off sale (who has it keeps it)", permissions=["change"])
    def withdraw(self, request: HttpRequest, courses: QuerySet[Course]) -> None:
        for course in courses:
            actions.do_unpublish(course)
            self.log_change(request, course, "Taken off sale.")
            self.message_user(request, f"{course} is not on sale.", messages.SUCCESS)


@admin.register(Bundle)
class BundleAdmin(LecternModelAdmin):
    list_display = ["title", "status", "price", "created_at"]
    list_filter = ["status"]
    search_fields = ["title", "slug"]
    ordering = ["-id"]  # version 7: newest first
    fields = ["title", "slug", "description", "price", "access_days", "access_until", "courses", "status"]
    filter_horizontal = ["courses"]

    def get_readonly_fields(self, request: HttpRequest, obj: Bundle | None = None) -> list[str]:
        """A bundle's address is chosen once."""
        return ["slug"] if obj else []

    def get_prepopulated_fields(self, request: HttpRequest, obj: Bundle | None = None) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ["title"]}
