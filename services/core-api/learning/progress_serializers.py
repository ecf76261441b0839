"""Shapes of progress."""

from __future__ import annotations

import math
from typing import Any

from rest_framework import serializers

from learning.progress import Report
from wallet.serializers import StrictSerializer

MOST_INTERVALS = 500  # in one report


class SecondsField(serializers.FloatField):
    """Seconds from the beginning of a video."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, **kwargs)

    def to_internal_value(self, data: Any) -> float:
        value: float = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class ProgressReport(StrictSerializer):
    position_s = SecondsField(help_text="Where to go on.")
    watched = serializers.ListField(
        child=serializers.ListField(child=SecondsField(), min_length=2, max_length=2),
        max_length=MOST_INTERVALS,
        required=False,
        default=list,
        help_text="[[from, to], …] in seconds: what was watched since the last report, or all of it again.",
    )
    client_time = serializers.DateTimeField(
        help_text="The device's clock when it was there. Ahead of ours, it counts as now."
    )
    completed = serializers.BooleanField(
        required=False, help_text="Of an article or a file: false says that it is opened, but not read yet."
    )

    def validate_watched(self, watched: list[list[float]]) -> list[list[float]]:
        if any(start > end for start, end in watched):
            raise serializers.ValidationError("Each is [from, to], with `from` first.")
        return watched

    @staticmethod
    def report(body: dict[str, Any]) -> Report:
        watched = [(start, end) for start, end in body["watched"]]
        return Report(body["position_s"], watched, body["client_time"], body.get("completed"))


class LessonStandingLine(serializers.Serializer[Any]):
    position_s = serializers.FloatField(help_text="Where to go on.")
    watched_s = serializers.FloatField(help_text="How much of the video was watched.")
    completed = serializers.BooleanField()


class LessonStandingOf(LessonStandingLine):
    lesson = serializers.UUIDField()


class Resume(serializers.Serializer[Any]):
    lesson = serializers.UUIDField()
    position_s = serializers.FloatField()


class CourseStandingPage(serializers.Serializer[Any]):
    lessons_completed = serializers.IntegerField()
    lessons_count = serializers.IntegerField()
    percent = serializers.IntegerField(help_text="Of the lessons, rounded down: 100 are all of them.")
    resume = Resume(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True, help_text="When all lessons were completed first.")
    certificate = serializers.CharField(allow_null=True, help_text="The code of your certificate.")
    lessons = LessonStandingOf(many=True, help_text="All of them, in the course's order.")
