"""The same wallet, many requests at once. Each of these has its own database, where commits are real."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connections, transaction
from django.utils import timezone
from psycopg import errors as postgres

from accounts.models import User
from deploy.embedded.waiting import looks
from learning.models import Enrolment
from tests import books, environment
from tests.payments.conftest import event_of, order_pack, send
from wallet import locking
from wallet.ledger import lock_wallet
from wallet.models import Coupon, Lot, Order, Posting, Wallet
from wallet.tasks import expire_promotions

on_time = locking._lost_to_another


def codes(answers):
    assert not [answer for answer in answers if isinstance(answer, Exception)], answers
    return sorted(answer.status_code for answer in answers)


def test_one_course_with_fifty_keys_is_one_order(at_once, api, alice):
    books.course("knots", price=40)
    books.give(alice, 1000)
    client = api.as_(alice)
    answers = at_once(50, lambda number: books.patiently(lambda: books.buy(client, key=f"k-{number}")))
    assert codes(answers) == [201] + [409] * 49
    assert (Order.objects.count(), Enrolment.objects.count()) == (1, 1)
    assert Wallet.objects.get().balance == 960
    books.assert_books_are_right()


def test_one_key_fifty_times_is_one_order_and_one_answer(at_once, api, alice):
    books.course("knots", price=40)
    books.give(alice, 1000)
    client = api.as_(alice)
    answers = at_once(50, lambda number: books.patiently(lambda: books.buy(client, key="the-same")))
    assert codes(answers) == [201] * 50
    assert len({answer.content for answer in answers}) == 1
    assert (Order.objects.count(), Wallet.objects.get().balance) == (1, 960)
    books.assert_books_are_right()


def test_credit_for_ten_buys_ten_of_sixty(at_once, api, alice):
    for number in range(60):
        books.course(f"course-{number}", price=40)
    books.give(alice, 419)
    client = api.as_(alice)
    answers = at_once(60, lambda number: books.patiently(lambda: books.buy(client, f"course-{number}")))
    assert codes(answers) == [201] * 10 + [402] * 50
    assert (Order.objects.count(), Enrolment.objects.count()) == (10, 10)
    assert Wallet.objects.get().balance == 19
    books.assert_books_are_right()


def test_thirty_first_uses_make_one_wallet(at_once, api, alice):
    for number in range(30):
        books.course(f"course-{number}", price=0)
    client = api.as_(alice)
    assert (
        codes(at_once(30, lambda number: books.patiently(lambda: books.buy(client, f"course-{number}")))) == [201] * 30
    )
    assert Wallet.objects.count() == 1


def test_all_that_moves_credit_at_once_leaves_the_books_right(at_once, api, alice, root, monkeypatch):
    """Refunds, purchases with and without coupon, top-ups, promotions and their expiry, on one wallet; nothing deadlocks."""
    monkeypatch.setattr(locking, "_lost_to_another", told_apart)
    for number in range(10):
        books.course(f"course-{number}", price=10)
    books.give(alice, 40)
    books.promote(alice, 25)
    Coupon.objects.create(code="FEW", percent=50, limit=3, limit_per_person=None)
    client, finance = api.as_(alice), api.as_(root)
    orders = [books.buy(client, f"course-{number}").json()["id"] for number in range(4)]
    topups = [order_pack(client).json() for _ in range(4)]

    def act(number):
        kind, turn = number % 6, number // 6
        match kind:
            case 0:
                key = {"Idempotency-Key": books.new_key()}
                return finance.post(f"/api/v1/orders/{orders[turn // 2]}/refund/", {"reason": "x"}, headers=key)
            case 1:
                return books.buy(client, f"course-{4 + turn}")
            case 2:
                return books.buy(client, f"course-{6 + turn}", coupon="FEW")
            case 3:
                return send(api, event_of(topups[turn]))
            case 4:
                return books.promote(User.objects.get(pk=alice.pk), 5, days=-1 if turn % 2 else 1)
            case _:
                return expire_promotions()

    results = at_once(24, lambda number: books.patiently(lambda: act(number)))
    assert not [result for result in results if isinstance(result, Exception)], results
    assert Posting.objects.filter(kind="refund").count() == 2  # each twice asked for, each once done
    assert Posting.objects.filter(kind="topup").count() == 4
    expire_promotions()
    assert not Lot.objects.filter(remaining__gt=0, expires_at__lte=timezone.now()).exists()


def told_apart(error):
    """A lock that took too long is part of life; a deadlock would mean that the order of locks is not kept."""
    assert not isinstance(error.__cause__, postgres.DeadlockDetected), error
    return on_time(error)


def test_people_share_a_coupon_while_orders_are_refunded(at_once, api, make_person, root):
    people = [make_person(f"person-{number}") for number in range(8)]
    Coupon.objects.create(code="MANY", percent=50)
    for slug in ("knots", "sails"):
        books.course(slug, price=10)
    for person in people:
        books.give(person, 10)
    clients, finance = [api.as_(person) for person in people], api.as_(root)

    def buy_and_return(number):
        order = books.patiently(lambda: books.buy(clients[number], coupon="MANY")).json()["id"]
        key = {"Idempotency-Key": books.new_key()}
        return books.patiently(
            lambda: finance.post(f"/api/v1/orders/{order}/refund/", {"reason": "x"}, headers=key).status_code
        )

    assert at_once(8, buy_and_return) == [200] * 8
    assert Coupon.objects.get().used == 0


@pytest.mark.postgres
def test_a_price_that_changes_while_the_purchase_waits_is_noticed(committed_db, api, alice):
    course = books.course("knots", price=40)
    books.give(alice, 100)
    client = api.as_(alice)
    address = environment.database_address("core", committed_db)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(address, autocommit=True) as author:
        with transaction.atomic():
            lock_wallet(alice)
            waiting = pool.submit(buy_and_close, client, expected_price=40)
            wait_for_a_waiting_lock(author)
            author.execute("UPDATE core.courses_course SET price = 50 WHERE id = %s", [course.pk])
        answer = waiting.result(10)
    assert (answer.status_code, answer.json()["code"]) == (409, "price_changed")


def buy_and_close(client, **body):
    try:
        return books.buy(client, **body)
    finally:
        connections.close_all()


def wait_for_a_waiting_lock(observer):
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    within = looks(1.5, pause=0.02)  # whoever waits gives up after 2 s
    assert any(observer.execute(waiting).fetchall() for _ in within), "nobody waits for the wallet"
