"""A lesson's video, for its author."""

from __future__ import annotations

import uuid

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.openapi import refusals
from config.permissions import holds
from config.requests import person, validated
from courses.models import Lesson
from courses.queries import find_managed_lesson
from media import actions, queries
from media.errors import NothingToRetry, NoVideoLesson, UploadUnfinished, UploadUsed
from media.serializers import UploadedVideo, VideoProgress
from media.uploads import do_take_upload

Author = holds("courses.manage", "courses.manage_all")


class VideoView(APIView):
    permission_classes = (Author,)

    @extend_schema(
        operation_id="set_lesson_video",
        request=UploadedVideo,
        responses={202: VideoProgress} | refusals(NoVideoLesson, UploadUnfinished, UploadUsed),
    )
    def post(self, request: Request, lesson: uuid.UUID) -> Response:
        """Makes an upload of yours (`/stream/v1/uploads/`) the lesson's video. Whoever watches the old one finishes it.

        The same upload again gets the same answer and is not packaged twice.
        """
        found = find_managed_lesson(request.user, lesson)
        wanted = validated(UploadedVideo, request)
        asset = do_take_upload(found, wanted["upload"], person(request))
        return Response(VideoProgress(asset).data, status=202)

    @extend_schema(operation_id="get_lesson_video", responses=VideoProgress)
    def get(self, request: Request, lesson: uuid.UUID) -> Response:
        return Response(_progress(find_managed_lesson(request.user, lesson)))


class RetryView(APIView):
    permission_classes = (Author,)

    @extend_schema(
        operation_id="retry_lesson_video", request=None, responses={202: VideoProgress} | refusals(NothingToRetry)
    )
    def post(self, request: Request, lesson: uuid.UUID) -> Response:
        """Packages the newest video again after it failed; 409 `nothing_to_retry` if it did not."""
        found = find_managed_lesson(request.user, lesson)
        asset = queries.newest_asset(found)
        if asset is None:
            raise NothingToRetry
        actions.do_retry(asset, person(request))
        return Response(_progress(found), status=202)


def _progress(lesson: Lesson) -> dict[str, object]:
    asset = queries.newest_asset(lesson)
    if asset is None:
        return {"status": queries.NO_VIDEO, "progress": 0, "error": ""}
    return dict(VideoProgress(asset).data)
