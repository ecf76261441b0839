"""For how long who buys a course has it; and, of several reasons to have one, that the last to end counts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.problems import Invalid
from courses.actions import do_update_course
from courses.models import Course
from learning.models import Enrolment
from tests import books
from tests.factories import grant, lessons_of, make_course
from tests.learning.conftest import has_access
from wallet.models import Order, Posting

pytestmark = pytest.mark.usefixtures("database")
DAY = timedelta(days=1)


def bought(api, alice, slug="baking"):
    answer = books.buy(api.as_(alice), slug)
    assert answer.status_code == 201, answer.content
    return Enrolment.objects.get(order_line__order=answer.json()["id"])


def test_a_course_is_sold_for_days_and_what_is_bought_stays_as_it_was(api, alice):
    make_course(price=0, access_days=30)
    enrolment = bought(api, alice)
    assert enrolment.valid_until - enrolment.started_at - 30 * DAY < timedelta(seconds=5)
    until = enrolment.valid_until
    Course.objects.update(access_days=1)
    enrolment.refresh_from_db()
    assert enrolment.valid_until == until
    shown = api.get("/api/v1/courses/baking/").json()
    assert (shown["access_days"], shown["access_until"]) == (1, None)


def test_a_course_is_sold_until_a_day_and_not_after_it(api, alice, bob):
    until = timezone.now().replace(microsecond=0) + 9 * DAY
    make_course(price=0, access_until=until)
    assert bought(api, alice).valid_until == until
    Course.objects.update(access_until=timezone.now() - DAY)
    refused = books.buy(api.as_(bob), "baking")
    assert (refused.status_code, refused.json()["code"]) == (409, "access_over")


def test_of_two_who_say_when_access_ends_at_once_one_is_told(ines):
    course = make_course(instructor=ines)
    Course.objects.update(access_until=timezone.now() + DAY)
    with pytest.raises(Invalid) as refused:
        do_update_course(course, access_days=30)
    assert list(refused.value.errors) == ["access_days"]


def test_a_bundle_has_terms_of_its_own(api, alice):
    from courses.models import Bundle

    courses = [make_course("one", price=10, access_days=1), make_course("two", price=10)]
    bundle = Bundle.objects.create(slug="both", title="Both", price=0, status="published", access_days=365)
    bundle.courses.set(courses)
    answer = api.as_(alice).post("/api/v1/orders/", {"bundle": "both"}, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 201
    ends = Enrolment.objects.values_list("valid_until", flat=True)
    assert {round((end - timezone.now()) / DAY) for end in ends} == {365}
    assert api.get("/api/v1/bundles/both/").json()["access_days"] == 365


def test_a_free_course_is_an_order_of_nothing(api, alice):
    make_course(price=0)
    enrolment = bought(api, alice)
    assert (enrolment.source, Order.objects.get().price, Posting.objects.count()) == ("free", 0, 0)
    assert books.buy(api.as_(alice), "baking").json()["code"] == "already_enrolled"


def test_who_bought_for_days_may_buy_again_afterwards(api, alice):
    make_course(price=0, access_days=1)
    first = bought(api, alice)
    assert books.buy(api.as_(alice), "baking").status_code == 409
    Enrolment.objects.update(valid_until=timezone.now() - timedelta(seconds=1))
    assert bought(api, alice).pk != first.pk
    first.refresh_from_db()
    assert first.end_reason == "expired"


def test_authors_say_one_end_or_none(api, ines):
    make_course(instructor=ines)
    client, path = api.as_(ines), "/api/v1/courses/baking/"
    assert client.patch(path, {"access_days": 30}).json()["access_days"] == 30
    until = "2030-01-01T00:00:00Z"
    refused = client.patch(path, {"access_until": until})
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["access_days"])
    assert client.patch(path, {"access_days": None, "access_until": until}).json()["access_until"] == until
    for wrong in (0, 3651, -1):
        assert client.patch(path, {"access_days": wrong, "access_until": None}).status_code == 422
    with pytest.raises(IntegrityError), transaction.atomic():
        Course.objects.update(access_days=1)


def test_an_app_is_told_when_access_as_a_whole_ends(api, alice):
    soon, later = timezone.now() + DAY, timezone.now().replace(microsecond=0) + 2 * DAY
    course = make_course()
    grant(alice, course, valid_until=soon)
    grant(alice, course, valid_until=later)
    listed = api.as_(alice).get("/api/v1/enrolments/").json()["results"]
    assert {each["access_until"] for each in listed} == {f"{later:%Y-%m-%dT%H:%M:%S}Z"}
    grant(alice, course)
    assert {each["access_until"] for each in api.as_(alice).get("/api/v1/enrolments/").json()["results"]} == {None}


hours = st.integers(-3, 3).filter(bool)
reasons = st.lists(st.tuples(st.none() | hours, st.booleans()), max_size=4)


@pytest.mark.postgres
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reasons=reasons)
def test_access_lasts_until_the_last_of_all_reasons_ends(alice, reasons):
    """(hours from now or None, ended by hand): what has_access and published.lesson_access say of it is the maximum."""
    with transaction.atomic():
        now = timezone.now()
        course = make_course()
        for lasts, is_ended in reasons:
            end = None if lasts is None else now + timedelta(hours=lasts)
            grant(alice, course, valid_until=end, ended_at=now if is_ended else None)
        running = [lasts for lasts, is_ended in reasons if not is_ended and (lasts is None or lasts > 0)]
        assert has_access(alice, course) == bool(running)
        expected = [(None if None in running else now + timedelta(hours=max(running)),)] if running else []
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_get_viewdef('published.lesson_access'::regclass)"
            )  # others may read it, core-api not
            access = f"({cursor.fetchone()[0].rstrip(';')}) access"
            mine = [alice.pk, lessons_of(course)[0].pk]
            cursor.execute(f"SELECT valid_until FROM {access} WHERE user_id = %s AND lesson_id = %s", mine)
            assert cursor.fetchall() == expected
        transaction.set_rollback(True)
