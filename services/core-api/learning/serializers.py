"""Shapes of enrolments."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from courses.models import Course
from learning.models import Enrolment
from learning.standing import percent


class EnrolledCourse(serializers.ModelSerializer[Course]):
    class Meta:
        model = Course
        fields = ["id", "slug", "title"]


class EnrolmentLine(serializers.ModelSerializer[Enrolment]):
    """One reason for which a person has a course. `valid_until` null: no end."""

    course = EnrolledCourse(read_only=True)
    lessons_completed = serializers.IntegerField()
    lessons_count = serializers.IntegerField()
    percent = serializers.SerializerMethodField(help_text="Of the lessons, rounded down.")

    class Meta:
        model = Enrolment
        fields = [
            *("id", "course", "source", "started_at", "valid_until"),
            *("lessons_completed", "lessons_count", "percent"),
        ]

    def get_percent(self, enrolment: Any) -> int:
        return percent(enrolment.lessons_completed, enrolment.lessons_count)
