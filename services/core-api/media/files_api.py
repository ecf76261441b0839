"""Posters, captions and attachments, for authors."""

from __future__ import annotations

import uuid

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.openapi import refusals
from config.permissions import holds
from config.problems import Invalid, NotFound, TooLarge
from courses.queries import find_managed_course, find_managed_lesson
from media import captions, file_actions, parsers
from media.actions import do_set_caption
from media.errors import NoVideoLesson
from media.models import Attachment
from media.parsers import the_file
from media.serializers import AttachmentLine, CaptionOfLesson, PosterOfCourse

Author = holds("courses.manage", "courses.manage_all")


class PosterView(APIView):
    permission_classes = (Author,)
    parser_classes = parsers.FILE

    @extend_schema(
        operation_id="set_poster",
        request=parsers.described("image/jpeg", "image/png", "image/webp"),
        responses=PosterOfCourse,
    )
    def put(self, request: Request, slug: str) -> Response:
        """A JPEG, PNG or WebP picture of at most 10 MiB and 25 million pixels. It is drawn anew, at most 1280 pixels wide."""
        course = find_managed_course(request.user, slug)
        file = the_file(request)
        file_actions.do_set_poster(course, file, file.size or 0)
        return Response(PosterOfCourse(course).data)

    @extend_schema(operation_id="remove_poster", responses={204: None})
    def delete(self, request: Request, slug: str) -> Response:
        file_actions.do_remove_poster(find_managed_course(request.user, slug))
        return Response(status=204)


class CaptionView(APIView):
    permission_classes = (Author,)
    parser_classes = parsers.FILE

    @extend_schema(
        operation_id="set_captions",
        request=parsers.described("text/vtt", "application/x-subrip"),
        responses={200: CaptionOfLesson} | refusals(NoVideoLesson),
    )
    def put(self, request: Request, lesson: uuid.UUID, language: str) -> Response:
        """Sets or replaces a video's captions in one language (an IETF tag such as `en`): SubRip or WebVTT, at most 2 MiB."""
        found = find_managed_lesson(request.user, lesson)
        file = the_file(request)
        if (file.size or 0) > captions.LARGEST:
            raise TooLarge(f"Captions may have at most {captions.LARGEST // 2**20} MiB.")
        try:
            return Response(CaptionOfLesson(do_set_caption(found, language, file.read())).data)
        except captions.CaptionRefused as refusal:
            raise Invalid(errors={"file": [str(refusal)]}) from refusal
        except ValidationError as refusal:
            raise Invalid(errors={"language": refusal.messages}) from refusal

    @extend_schema(operation_id="remove_captions", responses={204: None})
    def delete(self, request: Request, lesson: uuid.UUID, language: str) -> Response:
        file_actions.do_remove_caption(find_managed_lesson(request.user, lesson), language)
        return Response(status=204)


class AttachmentsView(APIView):
    permission_classes = (Author,)
    parser_classes = (parsers.Form,)

    @extend_schema(operation_id="list_attachments", responses=AttachmentLine(many=True))
    def get(self, request: Request, lesson: uuid.UUID) -> Response:
        found = find_managed_lesson(request.user, lesson)
        return Response(AttachmentLine(found.attachments.all(), many=True).data)

    @extend_schema(operation_id="add_attachment", request=parsers.described(), responses={201: AttachmentLine})
    def post(self, request: Request, lesson: uuid.UUID) -> Response:
        """Adds a file of at most 100 MiB, 50 to a lesson. Its name is what learners save it as."""
        found = find_managed_lesson(request.user, lesson)
        file = the_file(request)
        pieces = file.chunks()
        added = file_actions.do_add_attachment(found, file.name or "", pieces, file.size or 0)
        return Response(AttachmentLine(added).data, status=201)


class AttachmentView(APIView):
    permission_classes = (Author,)

    @extend_schema(operation_id="remove_attachment", responses={204: None})
    def delete(self, request: Request, lesson: uuid.UUID, attachment: uuid.UUID) -> Response:
        """Nobody can begin to download it any more, within a second."""
        found = Attachment.objects.filter(pk=attachment, lesson=find_managed_lesson(request.user, lesson).pk).first()
        if found is None:
            raise NotFound
        file_actions.do_remove_attachment(found)
        return Response(status=204)
