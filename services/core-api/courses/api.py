"""The catalogue, lessons, and authoring."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.openapi import refusals
from config.permissions import Public, by_method, holds
from config.requests import person, validated
from config.revalidation import IF_NONE_MATCH, NOT_MODIFIED, Revalidated
from courses import actions, queries
from courses.catalogue import CatalogueQuery, courses_for
from courses.errors import (
    CourseBundled,
    CourseIncomplete,
    CourseSold,
    LessonHad,
    LessonNotOpen,
    NotEnrolled,
    OutlineChanged,
)
from courses.models import Course
from courses.outlines import Outline, do_arrange
from courses.serializers import (
    AuthoredLesson,
    CourseCard,
    CourseChange,
    CourseCreation,
    CoursePage,
    LessonChange,
    LessonCreation,
    LessonPage,
    SectionChange,
    SectionOutline,
)
from learning.standing import lesson_standing
from media import queries as media

Author = holds("courses.manage", "courses.manage_all")


class CoursesView(Revalidated, ListAPIView[Course]):
    permission_classes = (by_method(GET=Public, POST=Author),)
    serializer_class = CourseCard

    @extend_schema(
        operation_id="list_courses",
        parameters=[CatalogueQuery, IF_NONE_MATCH],
        responses={200: CourseCard(many=True), 304: NOT_MODIFIED},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The courses on sale: searched, filtered and ordered as one likes, the newest first if one does not say."""
        return self.list(request, *args, **kwargs)

    @extend_schema(operation_id="create_course", request=CourseCreation, responses={201: CoursePage})
    def post(self, request: Request) -> Response:
        """A new draft, taught by oneself."""
        body = validated(CourseCreation, request)
        course = actions.do_create_course(person(request), **body)
        return _page(request, course, status=201)

    def get_queryset(self) -> QuerySet[Course]:
        asked = CatalogueQuery(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        return courses_for(self.request.user, asked.validated_data)


class CourseView(Revalidated):
    permission_classes = (by_method(GET=Public, PATCH=Author, DELETE=Author),)

    @extend_schema(
        operation_id="get_course", parameters=[IF_NONE_MATCH], responses={200: CoursePage, 304: NOT_MODIFIED}
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(CoursePage(queries.find_course(request.user, slug)).data)

    @extend_schema(
        operation_id="change_course",
        request=CourseChange,
        responses={200: CoursePage} | refusals(CourseIncomplete),
    )
    def patch(self, request: Request, slug: str) -> Response:
        """A course on sale keeps what it needed to be published; 409 `course_incomplete` otherwise."""
        course = queries.find_managed_course(request.user, slug)
        body = CourseChange(course, data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        actions.do_update_course(course, **body.validated_data)
        return _page(request, course)

    @extend_schema(operation_id="delete_course", responses={204: None} | refusals(CourseSold, CourseBundled))
    def delete(self, request: Request, slug: str) -> Response:
        """Erases a course that nobody ever had; 409 `course_sold` otherwise, `course_bundled` while a bundle has it."""
        actions.do_delete_course(queries.find_managed_course(request.user, slug))
        return Response(status=204)


class PublishView(APIView):
    permission_classes = (Author,)

    @extend_schema(
        operation_id="publish_course", request=None, responses={200: CoursePage} | refusals(CourseIncomplete)
    )
    def post(self, request: Request, slug: str) -> Response:
        """Puts the course on sale; 409 `course_incomplete` names in `errors` what is missing."""
        course = queries.find_managed_course(request.user, slug)
        actions.do_publish(course)
        return _page(request, course)


class UnpublishView(APIView):
    permission_classes = (Author,)

    @extend_schema(operation_id="unpublish_course", request=None, responses=CoursePage)
    def post(self, request: Request, slug: str) -> Response:
        """Takes the course off sale; whoever has it keeps it."""
        course = queries.find_managed_course(request.user, slug)
        actions.do_unpublish(course)
        return _page(request, course)


def _page(request: Request, course: Course, status: int = 200) -> Response:
    return Response(CoursePage(queries.find_course(request.user, course.slug)).data, status=status)


class OutlineView(APIView):
    permission_classes = (Author,)

    @extend_schema(
        operation_id="arrange_course", request=Outline, responses={200: CoursePage} | refusals(OutlineChanged)
    )
    def put(self, request: Request, slug: str) -> Response:
        """Puts all sections and lessons in order at once. 409 `outline_changed` if it does not name all that there are: nothing
        that somebody else added meanwhile is lost."""
        course = queries.find_managed_course(request.user, slug)
        body = Outline(data=request.data)
        body.is_valid(raise_exception=True)
        do_arrange(course, body.places())
        return _page(request, course)


class SectionsView(APIView):
    permission_classes = (Author,)

    @extend_schema(operation_id="add_section", request=SectionChange, responses={201: SectionOutline})
    def post(self, request: Request, slug: str) -> Response:
        """Adds a section, at the end unless `position` says where."""
        course = queries.find_managed_course(request.user, slug)
        body = validated(SectionChange, request)
        return Response(SectionOutline(actions.do_add_section(course, **body)).data, status=201)


class SectionView(APIView):
    permission_classes = (Author,)

    @extend_schema(operation_id="change_section", request=SectionChange, responses=SectionOutline)
    def patch(self, request: Request, section: uuid.UUID) -> Response:
        found = queries.find_managed_section(request.user, section)
        body = SectionChange(found, data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        actions.do_update_section(found, **body.validated_data)
        return Response(SectionOutline(queries.find_managed_section(request.user, section)).data)

    @extend_schema(operation_id="delete_section", responses={204: None} | refusals(LessonHad))
    def delete(self, request: Request, section: uuid.UUID) -> Response:
        """Deletes the section with its lessons; 409 `lesson_had` if people got the course with one of them."""
        actions.do_delete_section(queries.find_managed_section(request.user, section))
        return Response(status=204)


class LessonsView(APIView):
    permission_classes = (Author,)

    @extend_schema(operation_id="add_lesson", request=LessonCreation, responses={201: AuthoredLesson})
    def post(self, request: Request, section: uuid.UUID) -> Response:
        """Adds a lesson, at the end of the section unless `position` says where."""
        found = queries.find_managed_section(request.user, section)
        body = validated(LessonCreation, request)
        return Response(AuthoredLesson(actions.do_add_lesson(found, **body)).data, status=201)


class LessonView(APIView):
    permission_classes = (by_method(GET=Public, PATCH=Author, DELETE=Author),)

    @extend_schema(operation_id="get_lesson", responses={200: LessonPage} | refusals(NotEnrolled, LessonNotOpen))
    def get(self, request: Request, lesson: uuid.UUID) -> Response:
        """A lesson of a course that one has, or a free preview; 403 `not_enrolled` otherwise, and `lesson_not_open` with
        `opens_at` where one has the course but the lesson opens later."""
        found = queries.find_lesson(request.user, lesson)
        found.video = media.video_state(found)  # type: ignore[attr-defined]  # computed, for the serializer
        found.standing = lesson_standing(request.user, found)  # type: ignore[attr-defined]  # as above
        return Response(LessonPage(found).data)

    @extend_schema(operation_id="change_lesson", request=LessonChange, responses=AuthoredLesson)
    def patch(self, request: Request, lesson: uuid.UUID) -> Response:
        found = queries.find_managed_lesson(request.user, lesson)
        body = LessonChange(found, data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        actions.do_update_lesson(found, **body.validated_data)
        return Response(AuthoredLesson(found).data)

    @extend_schema(operation_id="delete_lesson", responses={204: None} | refusals(LessonHad))
    def delete(self, request: Request, lesson: uuid.UUID) -> Response:
        """Deletes a lesson; 409 `lesson_had` if people got the course with it."""
        actions.do_delete_lesson(queries.find_managed_lesson(request.user, lesson))
        return Response(status=204)
