"""Shapes of videos."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from courses.models import Course
from media.models import Attachment, Caption


class UploadedVideo(serializers.Serializer[Any]):
    """An upload of one's own, of which all has come."""

    upload = serializers.UUIDField()


class VideoProgress(serializers.Serializer[Any]):
    """How far the lesson's newest video is: `progress` in per cent, `error` what its author should know, or empty."""

    status = serializers.ChoiceField(choices=["none", "queued", "processing", "ready", "failed"])
    progress = serializers.IntegerField(min_value=0, max_value=100)
    error = serializers.CharField(allow_blank=True)


class CaptionOfLesson(serializers.ModelSerializer[Caption]):
    class Meta:
        model = Caption
        fields = ["language", "label"]


class AttachmentLine(serializers.ModelSerializer[Attachment]):
    """A file to download. `url` is stream-gateway's, on this hostname: it takes the same access token."""

    url = serializers.SerializerMethodField()

    class Meta:
        model = Attachment
        fields = ["id", "name", "size_bytes", "content_type", "url"]

    @extend_schema_field(serializers.CharField())
    def get_url(self, attachment: Attachment) -> str:
        return f"/stream/v1/attachments/{attachment.pk}"


class PosterOfCourse(serializers.ModelSerializer[Course]):
    poster_url = serializers.SerializerMethodField()

    class Meta:
        model = Course
        fields = ["poster_url"]

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_poster_url(self, course: Course) -> str | None:
        return f"{settings.PUBLIC_URL}/{course.poster}" if course.poster else None
