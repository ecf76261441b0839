"""The whole order of a course's sections and lessons at once."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any, NamedTuple

from django.db import transaction
from rest_framework import serializers

from courses.actions import hold
from courses.errors import OutlineChanged
from courses.models import Course, Lesson, Section

MOST = 2_000  # sections, and lessons of a section


class Place(NamedTuple):
    section: uuid.UUID
    lessons: list[uuid.UUID]


class PlaceField(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="A section.")
    lessons = serializers.ListField(child=serializers.UUIDField(), max_length=MOST, help_text="Its lessons, in order.")


class Outline(serializers.Serializer[Any]):
    """All sections of the course, in order, each with its lessons. A lesson may stand in another section than before."""

    sections = serializers.ListField(child=PlaceField(), max_length=MOST)

    def validate_sections(self, sections: list[dict[str, Any]]) -> list[dict[str, Any]]:
        named = Counter(part for section in sections for part in [section["id"], *section["lessons"]])
        twice = [str(part) for part, times in named.items() if times > 1]
        if twice:
            raise serializers.ValidationError(f"Each stands once in an outline: {', '.join(twice)} does not.")
        return sections

    def places(self) -> list[Place]:
        return [Place(section["id"], section["lessons"]) for section in self.validated_data["sections"]]


def do_arrange(course: Course, places: list[Place]) -> None:
    """Puts sections and lessons in that order. Raises OutlineChanged unless it names all there are and no others: somebody
    else added or deleted one meanwhile, and nothing is lost by putting the others in order."""
    with transaction.atomic():
        course = hold(course)
        sections = {section.pk: section for section in course.sections.all()}
        lessons = {lesson.pk: lesson for lesson in Lesson.objects.filter(section__course=course).defer("body")}
        _check_complete("sections", sections, [place.section for place in places])
        _check_complete("lessons", lessons, [lesson for place in places for lesson in place.lessons])
        for position, place in enumerate(places, 1):
            sections[place.section].position = position
            for spot, lesson in enumerate(place.lessons, 1):
                lessons[lesson].section_id, lessons[lesson].position = place.section, spot
        Section.objects.bulk_update(sections.values(), ["position"])
        Lesson.objects.bulk_update(lessons.values(), ["section", "position"])


def _check_complete(what: str, there: dict[uuid.UUID, Any], named: list[uuid.UUID]) -> None:
    given = set(named)
    forgotten = [f'"{part.title}" ({pk}) is not in the outline.' for pk, part in there.items() if pk not in given]
    unknown = [f"{pk} is not in the course." for pk in named if pk not in there]
    if forgotten or unknown:
        raise OutlineChanged(errors={what: forgotten + unknown})
