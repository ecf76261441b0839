"""Courses sold together."""

import pytest

from courses.models import Bundle, Course
from learning.models import Enrolment
from tests import books
from tests.factories import grant
from wallet.models import Order, Posting, Wallet
from wallet.splitting import split


@pytest.fixture
def harbour(database):
    """Three courses of 40, 20 and 30 credits, together for 60."""
    for slug, price in (("knots", 40), ("sails", 20), ("tides", 30)):
        books.course(slug, price=price)
    return books.bundle("harbour", 60, "knots", "sails", "tides")


def buy(client, **body):
    return books.buy(client, None, bundle="harbour", **body)


def test_alice_buys_a_bundle_in_lines_that_sum_to_its_price(api, alice, harbour):
    books.give(alice, 100)
    order = buy(api.as_(alice)).json()
    assert (order["price"], order["balance"]) == (60, 40)
    assert {line["course"]: line["price"] for line in order["lines"]} == {"knots": 27, "sails": 13, "tides": 20}
    held = {str(enrolment.pk): enrolment for enrolment in Enrolment.objects.filter(user=alice)}
    assert {held[line["enrolment"]].course.slug for line in order["lines"]} == {"knots", "sails", "tides"}
    assert {enrolment.source for enrolment in held.values()} == {"bundle"}
    assert (Posting.objects.get(kind="purchase").note, Posting.objects.filter(kind="purchase").count()) == (
        "Harbour",
        1,
    )
    del order["balance"]
    assert api.as_(alice).get(f"/api/v1/orders/{order['id']}/").json() == order


def test_who_has_some_of_the_courses_pays_the_others_share(api, alice, harbour):
    books.give(alice, 100)
    books.buy(api.as_(alice), "knots")
    order = buy(api.as_(alice), expected_price=60).json()
    assert {line["course"]: line["price"] for line in order["lines"]} == {"sails": 13, "tides": 20}
    assert (order["price"], order["balance"]) == (33, 27)


def test_who_has_all_of_them_is_not_sold_the_bundle(api, alice, harbour):
    books.give(alice, 200)
    buy(api.as_(alice))
    books.give(alice, 100)
    answer = buy(api.as_(alice))
    assert (answer.status_code, answer.json()["code"]) == (409, "already_enrolled")
    assert books.buy(api.as_(alice), "tides").json()["code"] == "already_enrolled"
    assert Order.objects.count() == 1


def test_a_bundle_for_too_much_leaves_nothing(api, alice, harbour):
    books.give(alice, 59)
    answer = buy(api.as_(alice))
    assert (answer.status_code, answer.json()["code"]) == (402, "insufficient_credit")
    assert not Order.objects.exists()
    assert not Enrolment.objects.exists()


def test_a_bundles_changed_price_is_refused(api, alice, harbour):
    books.give(alice, 100)
    assert buy(api.as_(alice), expected_price=50).json()["code"] == "price_changed"


def test_a_free_bundle_moves_no_credit(api, alice, harbour):
    Bundle.objects.update(price=0)
    assert len(buy(api.as_(alice)).json()["lines"]) == 3
    assert not Posting.objects.exists()


@pytest.mark.parametrize("spoil", ["draft", "withdrawn", "a course withdrawn", "no courses"])
def test_a_bundle_that_is_not_on_sale_is_not_found(api, alice, harbour, spoil):
    if spoil == "no courses":
        harbour.courses.clear()
    elif spoil == "a course withdrawn":
        Course.objects.filter(slug="sails").update(status="withdrawn")
    else:
        Bundle.objects.update(status=spoil)
    books.give(alice, 100)
    assert buy(api.as_(alice)).status_code == 404
    assert api.get("/api/v1/bundles/").json()["results"] == []
    assert api.get("/api/v1/bundles/harbour/").status_code == 404


def test_bundles_are_in_the_catalogue(api, alice, harbour):
    grant(alice, Course.objects.get(slug="knots"))
    (listed,) = api.as_(alice).get("/api/v1/bundles/").json()["results"]
    assert listed == {
        "id": str(harbour.pk),
        "slug": "harbour",
        "title": "Harbour",
        "description": "",
        "price": 60,
        "price_left": 33,
        "access_days": None,
        "access_until": None,
        "courses": [
            {"id": str(course.pk), "slug": course.slug, "title": course.title, "price": course.price, "enrolled": had}
            for course, had in zip(Course.objects.order_by("title"), (True, False, False), strict=True)
        ],
    }
    assert api.as_(alice).get("/api/v1/bundles/harbour/").json() == listed
    assert api.get("/api/v1/bundles/harbour/").json()["price_left"] == 60


def test_bundles_are_listed_in_as_many_queries_however_many_there_are(api, harbour, django_assert_max_num_queries):
    for number in range(4):
        books.bundle(f"more-{number}", 50, "knots", "sails")
    with django_assert_max_num_queries(4):
        assert api.get("/api/v1/bundles/").json()["count"] == 5


def test_a_bundle_twenty_times_at_once_is_one_order(at_once, api, alice, harbour):
    books.give(alice, 1000)
    client = api.as_(alice)
    answers = at_once(12, lambda number: books.patiently(lambda: buy(client, key=f"k-{number}")))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
    assert Wallet.objects.get().balance == 940


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (60, [40, 20, 30], [27, 13, 20]),
        (10, [1, 1, 1], [4, 3, 3]),
        (2, [5, 5, 5], [1, 1, 0]),
        (0, [3, 4], [0, 0]),
        (5, [0, 0], [3, 2]),
        (7, [0, 9], [0, 7]),
        (90, [40, 20, 30], [40, 20, 30]),
    ],
)
def test_credits_are_divided_exactly(total, weights, parts):
    assert split(total, weights) == parts
