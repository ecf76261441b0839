"""Lessons that open later: on a day, or some days after enrolment."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from courses.models import Lesson
from tests.factories import grant, lessons_of, make_course

pytestmark = pytest.mark.usefixtures("database")
FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@pytest.fixture
def lesson(ines):
    return lessons_of(make_course(instructor=ines))[1]


def days_ago(days):
    return timezone.now() - timedelta(days=days)


def opening(client, lesson):
    """(status, code, opens_at) of the lesson's page, and what the course's page says."""
    page = client.get(f"/api/v1/lessons/{lesson.pk}/").json()
    line = client.get("/api/v1/courses/baking/").json()["sections"][0]["lessons"][1]
    return page.get("code", "open"), page.get("opens_at"), line["opens_at"]


def test_a_lesson_opens_some_days_after_enrolment(api, ines, alice, bob, lesson):
    author = api.as_(ines)
    changed = author.patch(f"/api/v1/lessons/{lesson.pk}/", {"opens_after_days": 7})
    assert (changed.status_code, changed.json()["opens_after_days"]) == (200, 7)
    grant(alice, lesson.section.course, started_at=days_ago(7))
    late = grant(bob, lesson.section.course, started_at=days_ago(6.5))
    told = (late.started_at + timedelta(days=7)).strftime(FORMAT)
    assert opening(api.as_(alice), lesson)[0] == "open"
    assert opening(api.as_(bob), lesson) == ("lesson_not_open", told, told)
    assert opening(author, lesson)[0] == "open"
    assert api.as_(bob).get(f"/api/v1/lessons/{lesson.pk}/").status_code == 403


def test_a_lesson_opens_on_a_day(api, alice, bob, lesson):
    day = days_ago(-2).replace(microsecond=0)
    Lesson.objects.filter(pk=lesson.pk).update(opens_on=day)
    grant(alice, lesson.section.course, started_at=days_ago(99))
    told = day.strftime(FORMAT)
    assert opening(api.as_(alice), lesson) == ("lesson_not_open", told, told)
    assert opening(api.as_(bob), lesson) == ("not_enrolled", None, told)
    Lesson.objects.filter(pk=lesson.pk).update(opens_on=days_ago(0))
    assert opening(api.as_(alice), lesson)[0] == "open"


def test_of_two_enrolments_the_older_that_still_runs_counts(api, alice, lesson):
    Lesson.objects.filter(pk=lesson.pk).update(opens_after_days=10)
    course = lesson.section.course
    grant(alice, course, started_at=days_ago(20), valid_until=days_ago(1))
    grant(alice, course, started_at=days_ago(20), ended_at=days_ago(2))
    grant(alice, course, started_at=days_ago(3))
    assert opening(api.as_(alice), lesson)[0] == "lesson_not_open"
    grant(alice, course, started_at=days_ago(11), valid_until=days_ago(-1))
    assert opening(api.as_(alice), lesson)[0] == "open"


def test_it_opens_in_one_way(api, ines, lesson):
    author, path = api.as_(ines), f"/api/v1/lessons/{lesson.pk}/"
    for both in (
        {"opens_after_days": 3, "opens_on": "2030-01-01T00:00:00Z"},
        {"opens_after_days": 3, "is_preview": True},
        {"opens_on": "2030-01-01T00:00:00Z", "is_preview": True},
    ):
        answer = author.patch(path, both)
        assert (answer.status_code, list(answer.json()["errors"])) == (422, ["opens_on"])
    for nonsense in (0, -1, 4000, "soon"):
        assert list(author.patch(path, {"opens_after_days": nonsense}).json()["errors"]) == ["opens_after_days"]
    assert author.patch(path, {"opens_on": "2030-01-01T00:00:00Z"}).json()["opens_on"] == "2030-01-01T00:00:00Z"
    assert author.patch(path, {"opens_on": None, "is_preview": True}).status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"opens_after_days": 3, "opens_on": timezone.now()},
        {"opens_after_days": 3, "is_preview": True},
        {"opens_after_days": 0},
        {"opens_after_days": 9999},
    ],
)
def test_the_database_holds_it(lesson, fields):
    with pytest.raises(IntegrityError), transaction.atomic():
        Lesson.objects.filter(pk=lesson.pk).update(**fields)
