"""Buying courses for credit, one request after the other."""

import json
from datetime import timedelta
from unittest.mock import ANY

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from courses.models import Course
from learning.models import Enrolment
from tests import books, environment
from wallet.models import Order, Posting, Wallet


def problem(answer):
    assert answer["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_alice_buys_a_course(api, alice):
    books.course("knots", price=40)
    books.give(alice, 100)
    answer = books.buy(api.as_(alice), "knots")
    enrolment = Enrolment.objects.get(user=alice)
    assert answer.status_code == 201
    assert answer.json() == {
        "id": ANY,
        "price": 40,
        "coupon": None,
        "balance": 60,
        "lines": [
            {
                "id": ANY,
                "course": "knots",
                "title": "Knots",
                "list_price": 40,
                "discount": 0,
                "price": 40,
                "enrolment": str(enrolment.pk),
                "refunded_at": None,
            }
        ],
        "refunded_at": None,
        "created_at": ANY,
    }
    assert (enrolment.source, enrolment.ended_at) == ("order", None)
    assert api.as_(alice).get("/api/v1/wallet/").json() == {"balance": 60, "promotional": [], **books.NOT_FROZEN}
    books.assert_books_are_right()


def test_a_purchase_is_one_posting_from_the_wallet_to_revenue(api, alice):
    books.course("knots", price=40)
    books.give(alice, 100)
    order = books.buy(api.as_(alice)).json()
    posting = Posting.objects.get(kind="purchase")
    assert (posting.debit.code, posting.credit.code) == (f"wallet:{alice.pk}", "revenue")
    assert (posting.amount, posting.wallet_seq, posting.balance_after) == (40, 2, 60)
    assert (str(posting.order_id), posting.caused_by) == (order["id"], alice)


def test_the_price_of_an_order_is_that_of_its_moment(api, alice):
    course = books.course("knots", price=40)
    books.give(alice, 100)
    order = books.buy(api.as_(alice)).json()
    Course.objects.filter(pk=course.pk).update(price=90)
    again = api.as_(alice).get(f"/api/v1/orders/{order['id']}/").json()
    assert (again["price"], again["lines"][0]["price"]) == (40, 40)


def test_too_little_credit_writes_nothing_and_says_how_much_is_missing(api, alice):
    books.course("knots", price=40)
    books.give(alice, 10)
    answer = books.buy(api.as_(alice))
    assert problem(answer) == (402, "insufficient_credit")
    assert "30 are missing" in answer.json()["detail"]
    assert Wallet.objects.get(user=alice).balance == 10
    assert (Order.objects.count(), Enrolment.objects.count(), Posting.objects.count()) == (0, 0, 1)


def test_who_never_had_a_wallet_has_too_little_credit(api, alice):
    books.course("knots", price=40)
    assert problem(books.buy(api.as_(alice))) == (402, "insufficient_credit")


def test_a_free_course_costs_nothing_and_moves_nothing(api, alice):
    books.course("taster", price=0)
    answer = books.buy(api.as_(alice), "taster")
    assert (answer.status_code, answer.json()["price"], answer.json()["balance"]) == (201, 0, 0)
    assert Enrolment.objects.filter(user=alice).count() == 1
    assert not Posting.objects.exists()
    books.assert_books_are_right()


@pytest.mark.parametrize("left", [60, 10, 0])
def test_buying_again_is_refused_however_much_credit_is_left(api, alice, left):
    books.course("knots", price=40)
    books.give(alice, 40 + left)
    books.buy(api.as_(alice))
    assert problem(books.buy(api.as_(alice))) == (409, "already_enrolled")
    assert Wallet.objects.get(user=alice).balance == left


def test_who_was_given_a_course_for_good_is_not_sold_it(api, alice):
    course = books.course("knots", price=40)
    books.give(alice, 40)
    Enrolment.objects.create(user=alice, course=course, source="grant")
    assert problem(books.buy(api.as_(alice))) == (409, "already_enrolled")


def test_who_was_lent_a_course_may_buy_it(api, alice):
    course = books.course("knots", price=40)
    books.give(alice, 40)
    until = timezone.now() + timedelta(days=3)
    lent = Enrolment.objects.create(user=alice, course=course, source="grant", valid_until=until)
    assert books.buy(api.as_(alice)).status_code == 201
    lent.refresh_from_db()
    assert lent.ended_at is None


def test_a_course_whose_time_is_over_can_be_bought_again(api, alice):
    books.course("knots", price=40)
    books.give(alice, 80)
    books.buy(api.as_(alice))
    Enrolment.objects.update(valid_until=timezone.now() - timedelta(days=1))
    assert books.buy(api.as_(alice)).status_code == 201
    ended, running = Enrolment.objects.order_by("started_at")
    assert (ended.end_reason, running.ended_at) == ("expired", None)


@pytest.mark.parametrize("status", ["draft", "withdrawn"])
def test_a_course_that_is_not_on_sale_is_not_found(api, alice, status):
    books.course("knots", status=status)
    books.give(alice, 100)
    assert problem(books.buy(api.as_(alice))) == (404, "not_found")
    assert problem(books.buy(api.as_(alice), "made-up")) == (404, "not_found")


def test_an_outdated_price_is_refused(api, alice):
    books.course("knots", price=40)
    books.give(alice, 100)
    assert problem(books.buy(api.as_(alice), expected_price=30)) == (409, "price_changed")
    assert not Order.objects.exists()
    assert books.buy(api.as_(alice), expected_price=40).status_code == 201


def test_a_frozen_wallet_does_not_pay(api, alice):
    books.course("knots", price=40)
    books.give(alice, 100)
    Wallet.objects.update(frozen=True)
    assert problem(books.buy(api.as_(alice))) == (409, "wallet_frozen")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("course", {}),
        ("course", {"course": None}),
        ("course", {"course": ["knots"]}),
        ("course", {"course": "\uff4bnots"}),
        ("course", {"course": "kno\x00ts"}),
        ("course", {"course": "\ud800"}),
        ("course", {"course": "k" * 81}),
        ("expected_price", {"course": "knots", "expected_price": -1}),
        ("expected_price", {"course": "knots", "expected_price": 40.0}),
        ("expected_price", {"course": "knots", "expected_price": "٤٠"}),
        ("expected_price", {"course": "knots", "expected_price": "40"}),
        ("expected_price", {"course": "knots", "expected_price": True}),
        ("expected_price", {"course": "knots", "expected_price": 2**63}),
        ("expected_price", {"course": "knots", "expected_price": 10**400}),
        ("coupon", {"course": "knots", "coupon": "half price"}),
        ("coupon", {"course": "knots", "coupon": ""}),
        ("coupon", {"course": "knots", "coupon": "\ud800"}),
        ("course", {"course": "knots", "bundle": "all"}),
        ("price", {"course": "knots", "price": 0}),
        ("?", {"course": "knots", "\ud800": 0}),
        ("non_field_errors", ["knots"]),
    ],
)
def test_a_body_that_makes_no_sense_is_refused_by_name(api, alice, name, body):
    books.course("knots", price=40)
    books.give(alice, 100)
    answer = api.as_(alice).post(
        "/api/v1/orders/",
        json.dumps(body),  # a lone surrogate is escaped, and so reaches the service
        content_type="application/json",
        headers={"Idempotency-Key": books.new_key()},
    )
    assert problem(answer) == (422, "invalid")
    assert list(answer.json()["errors"]) == [name]
    assert not Order.objects.exists()


def test_a_stranger_buys_nothing(api):
    books.course("knots")
    assert problem(books.buy(api)) == (401, "not_authenticated")


@pytest.mark.postgres
def test_a_purchase_notifies_nobody_and_enqueues_nothing_a_refund_notifies(committed_db, api, alice, root):

    books.course("knots", price=40)
    books.give(alice, 100)
    with psycopg.connect(environment.database_address(None, committed_db), autocommit=True) as listener:
        listener.execute("LISTEN access_changed")
        order = books.buy(api.as_(alice)).json()["id"]
        key = {"Idempotency-Key": books.new_key()}
        api.as_(root).post(f"/api/v1/orders/{order}/refund/", {"reason": "x"}, headers=key)
        heard = [notification.payload for notification in listener.notifies(timeout=10, stop_after=1)]
        heard += [notification.payload for notification in listener.notifies(timeout=0.2)]
    assert heard == [str(alice.pk)]  # one: the refund's
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs")
        assert cursor.fetchone() == (0,)


def test_a_purchase_takes_a_bounded_number_of_round_trips(committed_db, api, alice, django_assert_max_num_queries):
    books.course("knots", price=40)
    books.give(alice, 100)
    client = api.as_(alice)
    client.get("/api/v1/wallet/")
    with django_assert_max_num_queries(14):
        assert books.buy(client).status_code == 201
