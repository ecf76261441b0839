"""A lesson's video, for its author."""

from __future__ import annotations

import uuid
from typing import cast

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from config.openapi import refusals
from config.permissions import holds
from courses.models import Lesson
from courses.queries import find_managed_lesson
from media import actions, queries
from media.errors import NothingToRetry
from media.serializers import VideoProgress

Author = holds("courses.manage", "courses.manage_all")


class VideoView(APIView):
    permission_classes = (Author,)

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
        actions.do_retry(asset, cast(User, request.user))
        return Response(_progress(found), status=202)


def _progress(lesson: Lesson) -> dict[str, object]:
    asset = queries.newest_asset(lesson)
    if asset is None:
        return {"status": queries.NO_VIDEO, "progress": 0, "error": ""}
    return dict(VideoProgress(asset).data)
