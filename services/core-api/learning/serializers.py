"""Shapes of enrolments."""

from __future__ import annotations

from rest_framework import serializers

from courses.models import Course
from learning.models import Enrolment


class EnrolledCourse(serializers.ModelSerializer[Course]):
    class Meta:
        model = Course
        fields = ["id", "slug", "title"]


class EnrolmentLine(serializers.ModelSerializer[Enrolment]):
    """One reason for which a person has a course. `valid_until` null: no end."""

    course = EnrolledCourse(read_only=True)

    class Meta:
        model = Enrolment
        fields = ["id", "course", "source", "started_at", "valid_until"]
