"""Whole courses at once: copied, exported, imported."""

from __future__ import annotations

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from archives.busy import Answer, take_turn, turn
from archives.checking import check_archive, summary
from archives.duplicating import do_duplicate
from archives.errors import ArchiveInvalid, CourseTooLarge, FilesMissing, StoreAway
from archives.exporting import make_export, stream
from archives.importing import do_import
from archives.serializers import Copy, DryRun, ImportQuery
from config.negotiation import OneFormat
from config.openapi import refusals
from config.permissions import holds
from config.problems import TooManyRequests
from config.requests import person, validated
from courses.models import Course
from courses.queries import find_course, find_managed_course
from courses.serializers import CoursePage
from media import parsers

Author = holds("courses.manage", "courses.manage_all")
ZIP = (200, "application/zip")


class DuplicateView(APIView):
    permission_classes = (Author,)

    @extend_schema(operation_id="duplicate_course", request=Copy, responses={201: CoursePage})
    def post(self, request: Request, slug: str) -> Response:
        """A draft of one's own with the same outline, texts, files and packaged videos; nothing of what learners did."""
        course = find_managed_course(request.user, slug)
        body = validated(Copy, request)
        return _page(request, do_duplicate(course, person(request), **body))


class ExportView(APIView):
    permission_classes = (Author,)
    content_negotiation_class = OneFormat

    @extend_schema(
        operation_id="export_course",
        responses={ZIP: OpenApiResponse(OpenApiTypes.BINARY, "The archive: deploy/course-archive.md")}
        | refusals(FilesMissing, CourseTooLarge, TooManyRequests, StoreAway),
    )
    def get(self, request: Request, slug: str) -> StreamingHttpResponse:
        """The course as one ZIP archive: course.json, and its poster, captions, attachments and packaged videos."""
        course = find_managed_course(request.user, slug)
        return export_answer(course)


def export_answer(course: Course) -> StreamingHttpResponse:
    """Sent while it is made. Raises FilesMissing, CourseTooLarge, StoreAway, TooManyRequests."""
    export = make_export(course)
    answer = StreamingHttpResponse(Answer(stream(export), take_turn()), content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="{course.slug}.zip"'
    answer["Cache-Control"] = "private, no-store"
    return answer


class ImportView(APIView):
    permission_classes = (Author,)
    parser_classes = parsers.FILE

    @extend_schema(
        operation_id="import_course",
        request=parsers.described("application/zip"),
        parameters=[ImportQuery],
        responses={200: DryRun, 201: CoursePage} | refusals(ArchiveInvalid, TooManyRequests, StoreAway),
    )
    def post(self, request: Request) -> Response:
        """Makes a draft of one's own of an archive of at most 100 MiB, all of it or nothing.

        With `dry_run=1` nothing is made, and the answer lists everything that is wrong with the archive, by place. Larger archives:
        `manage.py import_course`.
        """
        query = ImportQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        file = parsers.the_file(request)
        with turn():
            archive, problems = check_archive(file)
            if query.validated_data.get("dry_run"):
                empty = {"title": "", "sections": 0, "lessons": 0, "files": 0}
                told = (summary(archive) if archive else empty) | {"problems": problems.found}
                return Response(DryRun(told).data)
            if archive is None or problems:
                raise ArchiveInvalid(errors=problems.found)
            return _page(request, do_import(archive, person(request)))


def _page(request: Request, course: Course) -> Response:
    return Response(CoursePage(find_course(request.user, course.slug)).data, status=201)
