"""Requests that are sent again, and keys that are used again."""

import threading
from datetime import timedelta

import pytest
from django.db import connections, transaction
from django.utils import timezone

from tests import books
from tests.payments.conftest import event_of, order_pack, send
from wallet.idempotency import RequestKey, do_claim
from wallet.models import IdempotencyKey, Order, Wallet
from wallet.tasks import purge_idempotency_keys


def test_the_same_request_again_is_answered_the_same_and_done_once(api, alice):
    books.course("knots", price=40)
    books.give(alice, 100)
    first = books.buy(api.as_(alice), key="k-1")
    again = books.buy(api.as_(alice), key="k-1")
    assert (again.status_code, again.content) == (first.status_code, first.content) == (201, first.content)
    assert (Order.objects.count(), Wallet.objects.get(user=alice).balance) == (1, 60)


def test_a_promotion_given_again_when_it_is_over_is_answered_the_same(api, fiona, alice, monkeypatch):
    body = {"amount": 30, "expires_at": (timezone.now() + timedelta(minutes=1)).isoformat(), "reason": "Welcome"}
    headers = {"Idempotency-Key": "k-1"}

    def give():
        return api.as_(fiona).post(f"/api/v1/wallets/{alice.pk}/promotions/", body, headers=headers)

    first, now = give(), timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(minutes=2))
    again = give()
    assert (again.status_code, again.content) == (first.status_code, first.content) == (201, first.content)


def test_the_order_of_names_and_white_space_make_no_other_request(api, alice):
    books.course("knots", price=40)
    books.give(alice, 100)
    answers = [
        api.as_(alice).post(
            "/api/v1/orders/", body, content_type="application/json", headers={"Idempotency-Key": "k-1"}
        )
        for body in ('{"course":"knots","expected_price":40}', '{ "expected_price": 40, "course": "knots" }')
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert Order.objects.count() == 1


def test_the_same_key_for_another_request_is_refused(api, alice):
    books.course("knots", price=40)
    books.course("sails", price=40)
    books.give(alice, 100)
    books.buy(api.as_(alice), "knots", key="k-1")
    answer = books.buy(api.as_(alice), "sails", key="k-1")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert Order.objects.count() == 1


def test_two_people_may_choose_the_same_key(api, alice, bob):
    books.course("taster", price=0)
    assert books.buy(api.as_(alice), "taster", key="1").json() != books.buy(api.as_(bob), "taster", key="1").json()
    assert Order.objects.count() == 2


def test_a_refused_request_does_not_use_its_key_up_so_a_top_up_helps(api, alice):
    books.course("knots", price=40)
    assert books.buy(api.as_(alice), key="k-1").status_code == 402
    assert send(api, event_of(order_pack(api.as_(alice)).json())).status_code == 200
    assert books.buy(api.as_(alice), key="k-1").json()["balance"] == 60


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "idempotency_key_missing"),
        ({"Idempotency-Key": " "}, "idempotency_key_missing"),
        ({"Idempotency-Key": "a b"}, "idempotency_key_invalid"),
        ({"Idempotency-Key": "k" * 256}, "idempotency_key_invalid"),
        ({"Idempotency-Key": "schlüssel"}, "idempotency_key_invalid"),
    ],
)
def test_money_moves_only_with_a_usable_key(api, alice, headers, code):
    books.course("knots", price=0)
    answer = api.as_(alice).post("/api/v1/orders/", {"course": "knots"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert not Order.objects.exists()


@pytest.mark.postgres
def test_a_twin_that_runs_for_long_is_answered_busy(committed_db, api, alice):
    books.course("knots", price=0)
    client = api.as_(alice)
    claimed, release = threading.Event(), threading.Event()

    def hold_the_key():
        with transaction.atomic():
            do_claim(RequestKey(alice, "orders.create", "k-1", b"whatever"))
            claimed.set()
            release.wait(20)
            transaction.set_rollback(True)
        connections.close_all()

    twin = threading.Thread(target=hold_the_key)
    twin.start()
    assert claimed.wait(10)
    answer = books.buy(client, key="k-1")
    release.set()
    twin.join()
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (409, "busy", "1")
    assert books.buy(client, key="k-1").status_code == 201
    assert IdempotencyKey.objects.count() == 1


def test_keys_are_forgotten_after_a_week(api, alice):
    books.course("taster", price=0)
    books.buy(api.as_(alice), "taster", key="k-1")
    purge_idempotency_keys()
    assert IdempotencyKey.objects.count() == 1
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(days=8))
    purge_idempotency_keys()
    assert not IdempotencyKey.objects.exists()
    assert books.buy(api.as_(alice), "taster", key="k-1").json()["code"] == "already_enrolled"
