"""Copying, exporting and importing on the pages of courses."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse

from archives.api import export_answer
from archives.busy import turn
from archives.checking import check_archive, summary
from archives.duplicating import do_duplicate
from archives.importing import do_import
from config.confirmation import confirmed, number_for
from config.model_admin import LecternModelAdmin
from config.problems import Problem
from config.requests import person
from courses.models import Course


class ArchiveForm(forms.Form):
    file = forms.FileField(
        label="Archive",
        help_text="A ZIP file that an export made, at most 100 MiB. Larger ones: manage.py import_course.",
    )


class ArchivesAdmin(LecternModelAdmin):
    """For the admin of courses, whose `get_queryset` says which of them are one's own."""

    change_list_template = "archives/courses.html"

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = [
            path("import/", wrap(self.import_page), name="courses_course_import"),
            path("<uuid:pk>/export/", wrap(self.export), name="courses_course_export"),
        ]
        return [*own, *super().get_urls()]

    def links(self, request: HttpRequest, obj: Course) -> list[tuple[str, str]]:
        return [
            ("Export (ZIP)", reverse("admin:courses_course_export", args=[obj.pk])),
            *super().links(request, obj),
        ]

    @confirmed(
        "Duplicate",
        "A draft of yours comes to be, with the same outline, texts, files and packaged videos. "
        "Learners, reviews and sales stay with the original.",
        permission="change",
    )
    def duplicate(self, request: HttpRequest, course: Course, given: dict[str, Any]) -> str:
        copy = do_duplicate(course, person(request), number=number_for(given["once"], course))
        self.log_addition(request, copy, f"A copy of {course.slug}.")
        return f'"{copy}" is a draft at {copy.slug}.'

    def export(self, request: HttpRequest, pk: UUID) -> HttpResponse | StreamingHttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        course = get_object_or_404(self.get_queryset(request), pk=pk)
        try:
            return export_answer(course)
        except Problem as problem:
            for sentence in [problem.detail, *_sentences(problem)]:
                self.message_user(request, sentence, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:courses_course_change", args=[pk]))

    def import_page(self, request: HttpRequest) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        form = ArchiveForm(request.POST or None, request.FILES or None)
        found: dict[str, Any] = {}
        if request.method == "POST" and form.is_valid():
            try:
                with turn():
                    archive, problems = check_archive(form.cleaned_data["file"])
                    found = {"problems": problems.found, "summary": summary(archive) if archive else None}
                    if archive and not problems and "import" in request.POST:
                        course = do_import(archive, person(request))
                        self.log_addition(request, course, "Imported.")
                        self.message_user(request, f'"{course}" is a draft at {course.slug}.', messages.SUCCESS)
                        return HttpResponseRedirect(reverse("admin:courses_course_change", args=[course.pk]))
            except Problem as problem:
                form.add_error(None, problem.detail)
        context = self.admin_site.each_context(request) | {
            "title": "Import a course",
            "form": form,
            "opts": self.opts,
            **found,
        }
        return TemplateResponse(request, "archives/import.html", context)


def _sentences(problem: Problem) -> list[str]:
    return [sentence for sentences in (problem.errors or {}).values() for sentence in sentences]
