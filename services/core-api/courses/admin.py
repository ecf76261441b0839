"""Courses, their outline and their categories in the admin site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from archives.admin import ArchivesAdmin
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.forms import BaseModelForm, ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import mark_safe

from config.model_admin import LecternInline, LecternModelAdmin
from courses import actions, queries
from courses.articles import as_html
from courses.completeness import field_gaps
from courses.errors import CourseIncomplete
from courses.models import Bundle, Category, Course, Lesson, Section, Tag


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


class OfCourses(LecternModelAdmin):
    """Courses and what is in them. `courses.manage` opens one's own, `courses.manage_all` and Django's permissions all."""

    course_path = ""  # from a row to its course

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(self._own(request)) if _only_own(request) else rows

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _manages(request) or super().has_view_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _manages(request) or super().has_change_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _manages(request) or super().has_module_permission(request)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Nothing of one's own is moved into a course of somebody else's."""
        related = self.admin_site._registry.get(db_field.remote_field.model)
        if isinstance(related, OfCourses) and _only_own(request):
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


def _manages(request: HttpRequest) -> bool:
    """Whose courses they are, `OfCourses.get_queryset` says: no page opens a row that is not in it."""
    return request.user.has_perm("courses.manage") or request.user.has_perm("courses.manage_all")


def _only_own(request: HttpRequest) -> bool:
    return request.user.has_perm("courses.manage") and not request.user.has_perm("courses.manage_all")


class OutlineInline(LecternInline):
    """Part of the page of a course, for whoever may change that course."""

    show_change_link = True
    can_delete = False  # on its own page, which says what goes with it

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _manages(request) or super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _manages(request) or super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _manages(request) or super().has_change_permission(request, obj)


class SectionInline(OutlineInline):
    model = Section
    fields = ["position", "title"]


class LessonInline(OutlineInline):
    model = Lesson
    fields = ["position", "title", "kind", "is_preview", "opens_after_days"]


class CourseForm(ModelForm):  # type: ignore[type-arg]  # Django's class takes no [] at run time
    """A course on sale keeps what it needed to be published."""

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
        return [*fixed, "instructors"] if _only_own(request) else fixed

    def get_prepopulated_fields(self, request: HttpRequest, obj: Course | None = None) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ["title"]}

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "instructors":
            kwargs["queryset"] = queries.possible_instructors()
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def in_use(self, objs: Any) -> list[str]:
        return []  # enrolments and order lines stand in the way by themselves

    def delete_model(self, request: HttpRequest, obj: Course) -> None:
        actions.do_delete_course(obj)

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
                self.log_change(request, course, "Published.")
                self.message_user(request, f"{course} is on sale.", messages.SUCCESS)

    @admin.action(description="Take off sale (who has it keeps it)", permissions=["change"])
    def withdraw(self, request: HttpRequest, courses: QuerySet[Course]) -> None:
        for course in courses:
            actions.do_unpublish(course)
            self.log_change(request, course, "Taken off sale.")
            self.message_user(request, f"{course} is not on sale.", messages.SUCCESS)


@admin.register(Section)
class SectionAdmin(OfCourses):
    course_path = "course__"
    list_display = ["title", "course", "position", "lessons_count"]
    list_select_related = ["course"]
    search_fields = ["title", "course__title"]
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


@admin.register(Lesson)
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

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        adding = request.resolver_match and "object_id" not in request.resolver_match.kwargs
        return ["section"] if adding else []

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A lesson stays in its course, and moves between its sections."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        lesson = request.resolver_match and request.resolver_match.kwargs.get("object_id")
        if field is not None and db_field.name == "section" and lesson:
            field.queryset = field.queryset.filter(course__sections__lessons=lesson).distinct()
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
