"""Shapes of enrolments."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from learning.models import Enrolment
from learning.standing import percent
from media.serializers import PosterOfCourse


class EnrolledCourse(PosterOfCourse):
    class Meta(PosterOfCourse.Meta):
        fields = ["id", "slug", "title", "poster_url"]


class EnrolmentLine(serializers.ModelSerializer[Enrolment]):
    """One reason for which a person has a course, and how far they are in it."""

    course = EnrolledCourse(read_only=True)
    access_until = serializers.DateTimeField(
        allow_null=True, help_text="When the last of your enrolments in this course ends; null: never."
    )
    lessons_completed = serializers.IntegerField()
    lessons_count = serializers.IntegerField()
    percent = serializers.SerializerMethodField(help_text="Of the lessons, rounded down.")
    certificate = serializers.CharField(allow_null=True, help_text="The code of your certificate.")

    class Meta:
        model = Enrolment
        extra_kwargs = {"valid_until": {"help_text": "When this enrolment ends; null: never."}}
        fields = [
            *("id", "course", "source", "started_at", "valid_until", "access_until"),
            *("lessons_completed", "lessons_count", "percent", "certificate"),
        ]

    def get_percent(self, enrolment: Any) -> int:
        return percent(enrolment.lessons_completed, enrolment.lessons_count)
