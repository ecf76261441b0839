"""What clients report about a lesson, and how far one is."""

from __future__ import annotations

import uuid

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.openapi import refusals
from config.permissions import Authenticated
from config.requests import person, validated
from courses.errors import LessonNotOpen, NotEnrolled
from courses.queries import find_lesson
from learning.progress import do_report
from learning.progress_serializers import CourseStandingPage, LessonStandingLine, ProgressReport
from learning.standing import course_standing, standing


class LessonProgressView(APIView):
    permission_classes = (Authenticated,)

    @extend_schema(
        operation_id="report_progress",
        summary="Report what was watched of a lesson, and where one is",
        description=(
            "`watched` are intervals of the video in seconds; they are added to what was reported before, so it does not "
            "matter whether a report comes twice, late or in another order. What cannot be true is left out: more new video "
            "than twice the time since the last report, and what lies beyond its end. `position_s` is where to go on; the "
            "report with the latest `client_time` counts. A video is completed when 90 % of it were watched; another lesson "
            "by its first report, unless that says `completed: false`."
        ),
        request=ProgressReport,
        responses={200: LessonStandingLine} | refusals(NotEnrolled, LessonNotOpen),
    )
    def put(self, request: Request, lesson: uuid.UUID) -> Response:
        report = ProgressReport.report(validated(ProgressReport, request))
        found = find_lesson(request.user, lesson)
        progress = do_report(person(request), found, report)
        return Response(LessonStandingLine(standing(found, progress)).data)


class CourseProgressView(APIView):
    permission_classes = (Authenticated,)

    @extend_schema(
        operation_id="course_progress",
        summary="How far you are in a course",
        description=(
            "`resume` is the lesson to go on with: where you were last or, if that is completed, the next that is not. "
            "It stays readable when your access has ended."
        ),
        responses={200: CourseStandingPage} | refusals(NotEnrolled),
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(CourseStandingPage(course_standing(person(request), slug)).data)
