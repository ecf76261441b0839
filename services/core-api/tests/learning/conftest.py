"""A course of videos, and clients that report about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from courses.models import Lesson, Section
from learning.queries import running
from tests.factories import grant, lessons_of, make_course, make_lesson, make_package


class Clock:
    """The server's clock, which stands still until a test says how much passes."""

    def __init__(self):
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def pass_(self, **time):
        self.now += timedelta(**time)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timezone, "now", lambda: clock.now)
    return clock


def has_access(user, course):
    """Whether the person has the course now, for whatever reason."""
    return running(user).filter(course=course).exists()


def film(slug="film", *durations_s, articles=0, **fields):
    """A course of videos of these lengths and, after them, articles; gives it and its lessons."""
    course = make_course(slug, sections=0, **fields)
    section = Section.objects.create(course=course, title="All", position=1)
    for place, duration_s in enumerate(durations_s, 1):
        make_package(make_lesson(section, place, Lesson.Kind.VIDEO), duration_s)
    for place in range(articles):
        make_lesson(section, len(durations_s) + place + 1)
    return course, lessons_of(course)


def have(user, course, **fields):
    """Grants a course by the test's clock."""
    return grant(user, course, started_at=timezone.now(), **fields)


def put(client, lesson, *watched, position_s=None, at=None, **body):
    """Reports `watched` intervals, and the end of the last as the position, at the server's time unless told otherwise."""
    if position_s is None:
        position_s = watched[-1][1] if watched else 0
    body |= {"position_s": position_s, "watched": watched, "client_time": (at or timezone.now()).isoformat()}
    return client.put(f"/api/v1/lessons/{lesson.pk}/progress/", body)


def until_taken(call):
    """What `call` answers in the end, sent again while the answer is 503: who waited for a lock too long on a busy machine."""
    for _ in range(30):
        answer = call()
        if answer.status_code != 503:
            return answer
    raise AssertionError("not available thirty times")


def reported(client, lesson, *watched, **body):
    answer = put(client, lesson, *watched, **body)
    assert answer.status_code == 200, answer.content
    return answer.json()


def progress(client, course):
    answer = client.get(f"/api/v1/courses/{course.slug}/progress/")
    assert answer.status_code == 200, answer.content
    return answer.json()
