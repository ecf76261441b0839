"""What people say of courses, and the rating that follows."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from audit.models import Event
from courses.models import Course
from learning import reviews
from learning.models import Enrolment, Review
from learning.reviews import do_review
from privacy.erasing import erase
from tests.admin_pages import act
from tests.conftest import person
from tests.factories import grant, make_course
from tests.learning.conftest import until_taken

pytestmark = pytest.mark.usefixtures("database")
PATH = "/api/v1/courses/baking/reviews/"


@pytest.fixture
def course(alice, bob):
    made = make_course()
    for learner in (alice, bob):
        grant(learner, made)
    return made


def rating(api):
    shown = api.get("/api/v1/courses/baking/").json()
    assert (shown["rating"], shown["ratings_count"]) == tuple(
        api.get("/api/v1/courses/").json()["results"][0][name] for name in ("rating", "ratings_count")
    )
    return shown["rating"], shown["ratings_count"]


def test_who_has_a_course_reviews_it_once_and_everybody_reads_it(api, course, alice, bob):
    assert rating(api) == (None, 0)
    made = api.as_(alice).post(PATH, {"rating": 5, "text": "Warm."})
    assert made.status_code == 201
    again = api.as_(alice).post(PATH, {"rating": 1})
    assert (again.status_code, again.json()["code"]) == (409, "already_reviewed")
    assert api.as_(bob).post(PATH, {"rating": 2}).status_code == 201
    assert rating(api) == (3.5, 2)
    listed = api.get(PATH).json()
    assert [(each["author"], each["rating"], each["text"], each["mine"]) for each in listed["results"]] == [
        ("Bob", 2, "", False),
        ("Alice", 5, "Warm.", False),
    ]
    assert [each["mine"] for each in api.as_(alice).get(PATH).json()["results"]] == [False, True]


def test_only_who_has_the_course_now_reviews_it(api, course, alice):
    refused = api.as_(person("carol")).post(PATH, {"rating": 5})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_enrolled")
    assert api.post(PATH, {"rating": 5}).status_code == 401
    Enrolment.objects.filter(user=alice).update(valid_until=timezone.now() - timedelta(minutes=1))
    assert api.as_(alice).post(PATH, {"rating": 5}).status_code == 403
    Course.objects.update(status="draft")
    assert api.as_(person("dan")).get(PATH).status_code == 404


@pytest.mark.parametrize(
    "body", [{"rating": 0}, {"rating": 6}, {"rating": "5"}, {"rating": 4, "text": "x" * 4_001}, {}]
)
def test_nonsense_is_refused(api, course, alice, body):
    assert api.as_(alice).post(PATH, body).status_code == 422


def test_one_changes_ones_own_and_takes_it_back(api, course, alice, bob):
    own = api.as_(alice).post(PATH, {"rating": 5, "text": "Warm."}).json()
    mine = f"/api/v1/reviews/{own['id']}/"
    assert api.as_(alice).patch(mine, {"rating": 3}).json()["text"] == "Warm."
    assert rating(api) == (3.0, 1)
    assert api.as_(bob).patch(mine, {"rating": 1}).status_code == 404
    assert api.as_(bob).delete(mine).status_code == 404
    assert api.as_(alice).delete(mine).status_code == 204
    assert rating(api) == (None, 0)
    assert api.as_(alice).post(PATH, {"rating": 4}).status_code == 201


def test_staff_hide_one_and_show_it_again(api, client, course, alice, bob, root):
    review = do_review(alice, course, rating=1, text="Rude.")
    do_review(bob, course, rating=4, text="")
    client.force_login(root)
    told = act(client, "/admin/learning/review/", "hide", review, reason="Rude", times=2)
    assert told[0].endswith("hidden already.")
    assert rating(api) == (4.0, 1)
    assert [each["author"] for each in api.get(PATH).json()["results"]] == ["Bob"]
    mine = api.as_(alice).get(PATH).json()["results"]
    assert [(each["author"], each["hidden"]) for each in mine] == [("Bob", False), ("Alice", True)]
    for answer in (
        api.as_(alice).patch(f"/api/v1/reviews/{review.pk}/", {"rating": 5}),
        api.as_(alice).delete(f"/api/v1/reviews/{review.pk}/"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "review_hidden")
    act(client, "/admin/learning/review/", "show", review, reason="Not so bad")
    assert rating(api) == (2.5, 2)
    kinds = Event.objects.filter(subject_id=str(alice.pk)).order_by("at").values_list("kind", "detail__reason")
    assert list(kinds) == [("review_hidden", "Rude"), ("review_shown", "Not so bad")]


def test_what_an_erased_person_said_goes_and_does_not_count(api, course, alice, bob):
    do_review(alice, course, rating=1, text="I am Alice.")
    do_review(bob, course, rating=4, text="")
    erase(alice, alice, forfeit_credit=False)
    assert rating(api) == (4.0, 1)
    assert Review.objects.count() == 1


@pytest.mark.postgres
def test_nobody_is_erased_between_being_let_review_and_reviewing(committed_db, course, alice, monkeypatch, at_once):
    def end_it(number):
        with transaction.atomic():
            return list(Enrolment.objects.select_for_update(nowait=True, no_key=True).filter(user=alice))

    @contextmanager
    def counted(course_id):
        answers.extend(at_once(1, end_it))
        with original(course_id):
            yield

    original, answers = reviews._counted, []
    monkeypatch.setattr(reviews, "_counted", counted)
    do_review(alice, course, rating=1, text="I am Alice.")
    assert isinstance(answers[0], OperationalError)


def test_the_database_refuses_six_stars_and_two_reviews(course, alice):
    for wrong in ({"rating": 6}, {"rating": 0}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Review.objects.create(user=alice, course=course, **wrong)
    Review.objects.create(user=alice, course=course, rating=5)
    with pytest.raises(IntegrityError), transaction.atomic():
        Review.objects.create(user=alice, course=course, rating=5)
    with pytest.raises(IntegrityError), transaction.atomic():
        Course.objects.update(ratings_count=1, ratings_sum=6)


def test_reviews_at_once_all_count_and_one_person_has_one(at_once, api):
    course = make_course()
    clients = []
    for number in range(20):
        learner = person(f"learner-{number}")
        grant(learner, course)
        clients.append(api.as_(learner))
    answers = at_once(20, lambda n: until_taken(lambda: clients[n // 2].post(PATH, {"rating": 1 + n // 2 % 5})))
    assert sorted(answer.status_code for answer in answers) == [201] * 10 + [409] * 10
    reviewed = Review.objects.values_list("rating", flat=True)
    assert rating(api) == (sum(reviewed) / 10, 10)
