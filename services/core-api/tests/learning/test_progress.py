"""What clients report, and what becomes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from courses.models import Course
from learning.models import LessonProgress
from media.models import Package
from tests.factories import make_package
from tests.learning.conftest import film, have, progress, put, reported

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def watching(clock, api, alice):
    """alice has a course of a ten-minute video; gives her client and the lesson."""
    course, [lesson] = film("film", 600)
    have(alice, course)
    return api.as_(alice), lesson


def test_alice_watches_and_goes_on_where_she_was(watching, clock):
    alice, lesson = watching
    clock.pass_(seconds=30)
    assert reported(alice, lesson, [0, 25]) == {"position_s": 25.0, "watched_s": 25.0, "completed": False}
    clock.pass_(seconds=10)
    assert reported(alice, lesson, [25, 32.5], [20, 22])["watched_s"] == 32.5
    shown = alice.get(f"/api/v1/lessons/{lesson.pk}/").json()
    assert (shown["position_s"], shown["completed"]) == (22.0, False)
    assert progress(alice, lesson.section.course)["resume"] == {"lesson": str(lesson.pk), "position_s": 22.0}


def test_reports_of_two_devices_that_come_late_twice_and_mixed_are_one_whole(watching, clock):
    alice, lesson = watching
    clock.pass_(minutes=10)
    now = clock.now
    telephone = [([0, 100], now - timedelta(minutes=9)), ([100, 200], now - timedelta(minutes=7))]
    laptop = [([150, 260], now - timedelta(minutes=5)), ([400, 410], now - timedelta(minutes=1))]
    for piece, at in [laptop[1], telephone[1], laptop[1], laptop[0], telephone[0], telephone[1]]:
        last = reported(alice, lesson, piece, at=at)
    assert last == {"position_s": 410.0, "watched_s": 270.0, "completed": False}


def test_six_hundred_seconds_in_ten_are_not_believed(watching, clock):
    alice, lesson = watching
    clock.pass_(seconds=60)
    for place in range(0, 180, 10):
        reported(alice, lesson, [place, place + 10])
    assert reported(alice, lesson, [0, 180])["watched_s"] == 180  # all that 60 s of her time, and the first 60, allow
    clock.pass_(seconds=10)
    faked = reported(alice, lesson, [0, 600])
    assert (faked["watched_s"], faked["completed"]) == (200.0, False)
    assert reported(alice, lesson, [0, 600])["watched_s"] == 200.0
    clock.pass_(seconds=10)
    assert reported(alice, lesson, [590, 600])["watched_s"] == 210.0


def test_all_lessons_of_a_course_have_one_allowance(clock, api, alice):
    course, lessons = film("film", *[60] * 5)
    have(alice, course)
    client = api.as_(alice)
    assert [reported(client, lesson, [0, 60])["completed"] for lesson in lessons] == [True, *[False] * 4]


def test_a_client_that_was_offline_is_believed(watching, clock):
    alice, lesson = watching
    reported(alice, lesson, [0, 20])
    clock.pass_(minutes=8)
    assert reported(alice, lesson, [20, 600])["completed"] is True


def test_an_allowance_does_not_grow_for_ever(clock, api, alice):
    course, [long] = film("opera", 20 * 3600)
    have(alice, course)
    clock.pass_(days=30)
    assert reported(api.as_(alice), long, [0, 20 * 3600])["watched_s"] == 4 * 3600


def test_ninety_per_cent_complete_a_video(watching, clock):
    alice, lesson = watching
    clock.pass_(hours=1)
    assert reported(alice, lesson, [0, 500], [560, 599.9])["completed"] is False
    assert reported(alice, lesson, [500, 500.2], position_s=3)["completed"] is True
    assert reported(alice, lesson)["completed"] is True  # once and for all


def test_jumping_to_the_end_completes_nothing(watching, clock):
    alice, lesson = watching
    clock.pass_(hours=1)
    assert reported(alice, lesson, [599, 600], position_s=600) == {
        "position_s": 600.0, "watched_s": 1.0, "completed": False,
    }  # fmt: skip


def test_what_lies_beyond_the_end_is_left_out(watching, clock):
    alice, lesson = watching
    clock.pass_(hours=1)
    answer = reported(alice, lesson, [550, 1e300], [700, 800], position_s=1e300)
    assert answer == {"position_s": 600.0, "watched_s": 50.0, "completed": False}


def test_the_last_position_by_the_clients_clocks_counts(watching, clock):
    alice, lesson = watching
    clock.pass_(hours=1)
    now = clock.now
    assert reported(alice, lesson, position_s=50, at=now - timedelta(minutes=2))["position_s"] == 50
    assert reported(alice, lesson, position_s=90, at=now - timedelta(minutes=3))["position_s"] == 50  # late
    assert reported(alice, lesson, position_s=20, at=now - timedelta(minutes=1))["position_s"] == 20  # she went back
    # A clock that is a year ahead is no reason to stay there for a year,
    assert reported(alice, lesson, position_s=300, at=now + timedelta(days=365))["position_s"] == 300
    clock.pass_(seconds=5)
    assert reported(alice, lesson, position_s=10)["position_s"] == 10
    # and one of long ago does not win.
    assert reported(alice, lesson, position_s=400, at=datetime(1970, 1, 1, tzinfo=UTC))["position_s"] == 10


@pytest.mark.parametrize(
    "body",
    [
        {"watched": [[5, 2]]},
        {"watched": [[-1, 2]]},
        {"watched": [[1]]},
        {"watched": [[1, 2, 3]]},
        {"watched": [["1", 2]]},
        {"watched": "all"},
        {"watched": [[0, 1]] * 501},
        {"position_s": -1},
        {"position_s": None},
        {"client_time": "yesterday"},
        {"client_time": None},
        {"completed_at": "now"},
    ],
    ids=str,
)
def test_nonsense_is_refused(watching, body):
    alice, lesson = watching
    good = {"position_s": 0, "watched": [], "client_time": "2026-03-01T12:00:00Z"}
    answer = alice.put(f"/api/v1/lessons/{lesson.pk}/progress/", good | body)
    assert (answer.status_code, list(answer.json()["errors"])) == (422, list(body))
    assert not LessonProgress.objects.exists()


def test_numbers_that_are_none_are_refused(watching):
    alice, lesson = watching
    for number in ("1e999", "NaN"):
        body = f'{{"position_s": {number}, "client_time": "2026-03-01T12:00:00Z"}}'
        answer = alice.put(f"/api/v1/lessons/{lesson.pk}/progress/", body, content_type="application/json")
        assert answer.status_code in (400, 422)


def test_an_article_is_read_once_it_is_reported(clock, api, alice):
    course, [article] = film("text", articles=1)
    have(alice, course)
    client = api.as_(alice)
    assert reported(client, article, completed=False)["completed"] is False
    assert reported(client, article) == {"position_s": 0.0, "watched_s": 0.0, "completed": True}
    assert reported(client, article, completed=False)["completed"] is True


def test_one_goes_on_with_what_is_open(clock, api, alice):
    course, lessons = film(articles=3)
    lessons[1].opens_after_days = 7
    lessons[1].save()
    have(alice, course)
    client = api.as_(alice)
    reported(client, lessons[0])
    assert progress(client, course)["resume"]["lesson"] == str(lessons[2].pk)
    clock.pass_(days=7)
    assert progress(client, course)["resume"]["lesson"] == str(lessons[1].pk)


def test_a_course_says_how_much_is_done_and_where_to_go_on(clock, api, alice):
    course, lessons = film("film", 30, 30, articles=1)
    have(alice, course)
    client = api.as_(alice)
    clock.pass_(minutes=5)
    assert progress(client, course) == {
        "lessons_completed": 0,
        "lessons_count": 3,
        "percent": 0,
        "resume": {"lesson": str(lessons[0].pk), "position_s": 0.0},
        "completed_at": None,
        "certificate": None,
        "lessons": [{"lesson": str(it.pk), "position_s": 0.0, "watched_s": 0.0, "completed": False} for it in lessons],
    }
    reported(client, lessons[1], [0, 12])
    assert progress(client, course)["resume"] == {"lesson": str(lessons[1].pk), "position_s": 12.0}
    clock.pass_(seconds=20)
    reported(client, lessons[1], [12, 30])
    now = progress(client, course)
    assert (now["percent"], now["resume"]["lesson"]) == (33, str(lessons[2].pk))
    clock.pass_(seconds=20)
    reported(client, lessons[2])
    assert progress(client, course)["resume"]["lesson"] == str(lessons[0].pk)  # from the top again
    clock.pass_(seconds=20)
    reported(client, lessons[0], [0, 30])
    done = progress(client, course)
    assert (done["percent"], done["completed_at"]) == (100, "2026-03-01T12:06:00Z")
    assert done["resume"] == {"lesson": str(lessons[0].pk), "position_s": 30.0}
    mine = client.get("/api/v1/enrolments/").json()["results"][0]
    assert (mine["lessons_completed"], mine["lessons_count"], mine["percent"]) == (3, 3, 100)


def test_a_shorter_or_longer_video_leaves_what_was_watched_sensible(watching, clock):
    alice, lesson = watching
    clock.pass_(hours=1)
    reported(alice, lesson, [0, 300])
    replace(lesson, 200)
    shown = progress(alice, lesson.section.course)["lessons"][0]
    assert (shown["watched_s"], shown["position_s"], shown["completed"]) == (200.0, 200.0, False)
    assert reported(alice, lesson, position_s=1)["completed"] is True
    replace(lesson, 1000)
    shown = progress(alice, lesson.section.course)["lessons"][0]
    assert (shown["watched_s"], shown["completed"]) == (300.0, True)


def replace(lesson, duration_s):
    Package.objects.filter(lesson=lesson).update(is_current=False)
    make_package(lesson, duration_s)


def test_only_who_has_the_course_reports(clock, api, alice, bob, root):
    course, [lesson] = film("film", 60)
    clock.pass_(hours=1)
    assert put(api, lesson, [0, 1]).status_code == 401
    for person in (alice, root):  # who may watch everything learns nothing that would have to be kept
        refused = put(api.as_(person), lesson, [0, 1])
        assert (refused.status_code, refused.json()["code"]) == (403, "not_enrolled")
    refused = api.as_(alice).get(f"/api/v1/courses/{course.slug}/progress/")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_enrolled")
    Course.objects.update(status="withdrawn")
    assert put(api.as_(alice), lesson, [0, 1]).status_code == 404
    assert api.as_(alice).get(f"/api/v1/courses/{course.slug}/progress/").status_code == 404
    have(bob, course)
    reported(api.as_(bob), lesson, [0, 1])


def test_a_preview_keeps_nothing_of_who_does_not_have_the_course(clock, api, alice):
    _, [lesson] = film("film", 60)
    type(lesson).objects.update(is_preview=True)
    assert put(api.as_(alice), lesson, [0, 1]).status_code == 403


def test_nothing_is_reported_of_a_lesson_that_opens_later(watching, clock):
    alice, lesson = watching
    type(lesson).objects.update(opens_after_days=1)
    refused = put(alice, lesson, [0, 1])
    assert (refused.status_code, refused.json()["code"]) == (403, "lesson_not_open")
    clock.pass_(days=1)
    alice = type(alice)().as_(lesson.section.course.enrolments.get().user)
    assert put(alice, lesson, [0, 1]).status_code == 200


def test_what_one_did_stays_readable_when_access_has_ended(clock, api, alice):
    course, [lesson] = film("film", 60)
    have(alice, course, valid_until=clock.now + timedelta(hours=1))
    client = api.as_(alice)
    reported(client, lesson, [0, 30])
    clock.pass_(hours=2)
    client = api.as_(alice)
    assert put(client, lesson, [30, 60]).status_code == 403
    assert progress(client, course)["lessons"][0]["watched_s"] == 30.0


def test_somebody_who_jumps_about_a_thousand_times_keeps_the_longest_pieces(watching, clock):
    alice, lesson = watching
    clock.pass_(hours=1)
    for offset in (0.0, 0.3, 0.6):
        reported(alice, lesson, *[[place + offset, place + offset + 0.1] for place in range(500)])
    assert len(LessonProgress.objects.get().watched) == 1_000
    assert reported(alice, lesson, [0, 600])["completed"] is True
