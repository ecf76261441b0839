"""The same lesson, many reports at once. Each of these has its own database, where commits are real."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from config.problems import NotFound
from courses.queries import find_lesson
from learning import intervals
from learning.models import CourseProgress, LessonProgress
from learning.progress import Report, do_report
from tests.conftest import person
from tests.factories import grant
from tests.learning.conftest import film, progress, put, until_taken

YESTERDAY = timedelta(days=1)


def test_of_a_hundred_reports_of_two_devices_none_is_lost(at_once, api, alice):
    course, [lesson] = film("film", 1000)
    grant(alice, course, started_at=timezone.now() - YESTERDAY)
    devices = [api.as_(alice), api.as_(alice)]
    for turn in range(5):  # each a bit of its own, and a bit that its neighbours report as well

        def send(n, turn=turn):
            start = (turn * 20 + n) * 10
            return until_taken(lambda: put(devices[n % 2], lesson, [start, start + 12]))

        answers = at_once(20, send)
        assert [answer.status_code for answer in answers] == [200] * 20
    kept = LessonProgress.objects.get()
    assert intervals.union(kept.watched) == [(0, 1_000_000)]
    assert kept.completed_at is not None


def test_thirty_people_at_once_in_one_lesson(at_once, api):
    course, [lesson] = film("film", 60)
    clients = []
    for number in range(30):
        learner = person(f"learner-{number}")
        grant(learner, course)
        clients.append(api.as_(learner))
    answers = at_once(30, lambda n: until_taken(lambda: put(clients[n], lesson, [0, 30])))
    assert [answer.json()["watched_s"] for answer in answers] == [30.0] * 30


def test_reports_at_once_share_one_allowance(at_once, api, alice):
    course, lessons = film("film", *[60] * 10)
    grant(alice, course)
    client = api.as_(alice)
    at_once(10, lambda n: until_taken(lambda: put(client, lessons[n], [0, 60])))
    watched = sum(each["watched_s"] for each in progress(client, course)["lessons"])
    passed = (timezone.now() - CourseProgress.objects.get().allowance_at).total_seconds()
    assert 60 <= watched <= 60 + 2 * (30 + passed)


def test_the_last_two_lessons_at_once_complete_the_course_once(at_once, api, alice):
    course, lessons = film("film", 10, 10)
    grant(alice, course)
    devices = [api.as_(alice), api.as_(alice)]
    answers = at_once(2, lambda n: until_taken(lambda: put(devices[n], lessons[n], [0, 10])))
    assert [answer.json()["completed"] for answer in answers] == [True, True]
    assert progress(devices[0], course)["completed_at"] is not None


def test_a_report_about_a_lesson_that_its_author_deletes_right_then_finds_nothing(committed_db, alice):
    course, [lesson] = film("film", 60)
    grant(alice, course, started_at=timezone.now() - YESTERDAY)  # a lesson that came later may go
    found = find_lesson(alice, lesson.pk)
    lesson.delete()
    with pytest.raises(NotFound):
        do_report(alice, found, Report(30, [(0, 30)], timezone.now()))
    assert not LessonProgress.objects.exists()
    assert not CourseProgress.objects.exists()
