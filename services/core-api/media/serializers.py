"""Shapes of videos."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class VideoProgress(serializers.Serializer[Any]):
    """How far the lesson's newest video is: `progress` in per cent, `error` what its author should know, or empty."""

    status = serializers.ChoiceField(choices=["none", "queued", "processing", "ready", "failed"])
    progress = serializers.IntegerField(min_value=0, max_value=100)
    error = serializers.CharField(allow_blank=True)
