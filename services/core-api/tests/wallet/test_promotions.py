"""Promotional credit: given until a day, spent first, given back as what it was, and never spent when it is over."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from tests import books
from wallet import actions, queries
from wallet.errors import InsufficientCredit
from wallet.locking import money_transaction
from wallet.models import Lot, Order, Posting, Wallet
from wallet.tasks import expire_promotions


@pytest.fixture
def later(monkeypatch):
    """`later(3)`: three days go by."""
    passed = timedelta()
    now = timezone.now

    def go_by(days):
        nonlocal passed
        passed += timedelta(days=days)

    monkeypatch.setattr(timezone, "now", lambda: now() + passed)
    return go_by


def remaining():
    """What the lots hold, the one that ends earliest first, as (days from now, credits)."""
    now = timezone.now()
    lots = Lot.objects.order_by("expires_at", "pk")
    return [(round((lot.expires_at - now) / timedelta(days=1)), lot.remaining) for lot in lots]


def buy(person, **what):
    with money_transaction():
        return actions.do_purchase(person, **what)


def refund(order, by, *courses):
    lines = [line.pk for line in order.lines.filter(course__slug__in=courses)] if courses else None
    with money_transaction():
        actions.do_refund(order.pk, by, "Asked for", lines)


def balance(person):
    return Wallet.objects.get(user=person).balance


def test_finance_gives_credit_that_expires(api, fiona, alice):
    until = (timezone.now() + timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"amount": 30, "expires_at": until, "reason": "Welcome"}
    headers = {"Idempotency-Key": books.new_key()}
    answer = api.as_(fiona).post(f"/api/v1/wallets/{alice.pk}/promotions/", body, headers=headers)
    lot = Lot.objects.get()
    assert (answer.status_code, answer.json()) == (201, {"id": str(lot.pk), "credits": 30, "expires_at": until})
    posting = Posting.objects.get()
    assert (posting.kind, posting.debit.code, posting.note) == ("promotion", "promotion", "Welcome")
    assert api.as_(alice).get("/api/v1/wallet/").json() == {
        "balance": 30,
        "promotional": [answer.json()],
        **books.NOT_FROZEN,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("amount", amount) for amount in (0, -1, 1.5, "5", "\uff15", True, None, 10**9 + 1, 2**63)),
        ("expires_at", "2020-01-01T00:00:00Z"),
        ("expires_at", "tomorrow"),
        ("expires_at", None),
        ("reason", ""),
    ],
)
def test_a_promotion_that_makes_no_sense_is_refused(api, fiona, alice, field, value):
    until = (timezone.now() + timedelta(days=7)).isoformat()
    answer = api.as_(fiona).post(
        f"/api/v1/wallets/{alice.pk}/promotions/",
        json.dumps({"amount": 30, "expires_at": until, "reason": "Welcome", field: value}),
        content_type="application/json",
        headers={"Idempotency-Key": books.new_key()},
    )
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [field])
    assert not Lot.objects.exists()


def test_nobody_else_may_give_it(api, alice):
    assert api.as_(alice).post(f"/api/v1/wallets/{alice.pk}/promotions/", {}).status_code == 403


def test_what_ends_earliest_is_spent_first_and_paid_credit_last(alice):
    books.course("knots", price=45)
    books.give(alice, 10)
    for credits, days in ((20, 9), (30, 3)):
        books.promote(alice, credits, days)
    assert buy(alice, course="knots").balance == 15
    assert remaining() == [(3, 0), (9, 5)]
    books.course("sails", price=15)
    assert buy(alice, course="sails").balance == 0
    assert remaining() == [(3, 0), (9, 0)]


def test_what_is_over_is_not_spent_even_before_the_job_ran(alice):
    books.course("knots", price=40)
    books.give(alice, 30)
    books.promote(alice, 20, days=-1)
    with pytest.raises(InsufficientCredit, match="your wallet holds 30: 10 are missing"):
        buy(alice, course="knots")
    books.give(alice, 10)
    assert buy(alice, course="knots").balance == 0
    assert Posting.objects.get(kind="expiry").credit.code == "expired"


def test_what_is_over_is_not_shown_even_before_the_job_ran(api, alice):
    books.give(alice, 30)
    books.promote(alice, 20, days=-1)
    books.promote(alice, 5, days=1)
    shown = api.as_(alice).get("/api/v1/wallet/").json()
    assert (shown["balance"], [lot["credits"] for lot in shown["promotional"]]) == (35, [5])


def test_the_job_takes_what_is_over_once_and_leaves_the_rest(alice, bob):
    for person in (alice, bob):
        books.promote(person, 20, days=-1)
        books.promote(person, 7, days=1)
    expire_promotions()
    expire_promotions()
    assert (balance(alice), balance(bob)) == (7, 7)
    assert Posting.objects.filter(kind="expiry", amount=20, caused_by=None).count() == 2


def test_credit_taken_by_hand_is_promotional_first(alice):
    books.give(alice, 10)
    books.promote(alice, 20, days=3)
    books.give(alice, -25)
    assert (balance(alice), remaining()) == (5, [(3, 0)])


def test_giving_up_a_wallet_empties_its_lots(alice, root):
    books.give(alice, 10)
    books.promote(alice, 20, days=3)
    books.promote(alice, 5, days=-3)
    with money_transaction():
        assert actions.do_forfeit(alice, root) == 30
    assert (balance(alice), remaining()) == (0, [(-3, 0), (3, 0)])


def test_a_refund_goes_back_into_the_lots_that_paid(alice, root):
    books.course("knots", price=45)
    books.give(alice, 10)
    books.promote(alice, 20, days=30)
    books.promote(alice, 30, days=20)
    order = buy(alice, course="knots").order
    refund(order, root)
    assert (balance(alice), remaining()) == (60, [(20, 30), (30, 20)])


def test_refunds_of_one_line_after_the_other_give_each_its_own_lots(alice, root):
    for slug in ("knots", "sails", "tides"):
        books.course(slug, price=20)
    books.bundle("harbour", 60, "knots", "sails", "tides")
    books.give(alice, 25)
    books.promote(alice, 15, days=20)
    books.promote(alice, 20, days=30)
    order = buy(alice, bundle="harbour").order  # knots: 15 + 5, sails: 15 + 5 paid, tides: 20 paid
    refund(order, root, "sails")
    assert (balance(alice), remaining()) == (20, [(20, 0), (30, 15)])
    refund(order, root, "tides")
    assert (balance(alice), remaining()) == (40, [(20, 0), (30, 15)])
    refund(order, root)
    assert (balance(alice), remaining()) == (60, [(20, 15), (30, 20)])


@pytest.mark.parametrize("days", [25, 40])  # five days before its end, ten days after
def test_what_a_refund_brings_back_too_late_can_be_spent_for_a_fortnight(alice, root, later, days):
    books.course("knots", price=45)
    books.give(alice, 25)
    books.promote(alice, 30, days=30)
    order = buy(alice, course="knots").order
    later(days)
    expire_promotions()
    refund(order, root)
    assert [credits for _, credits in remaining()] == [0, 30]
    assert balance(alice) == 55
    later(13)
    expire_promotions()
    assert balance(alice) == 55
    later(2)
    expire_promotions()
    assert (balance(alice), queries.wallet_of(alice).promotional) == (25, 0)


def test_the_wallet_with_the_most_lots_is_read_in_as_many_queries(alice, django_assert_num_queries):
    for day in range(1, 6):
        books.promote(alice, 10, days=day)
    books.course("knots", price=45)
    with django_assert_num_queries(2):
        wallet = queries.wallet_of(alice)
        assert len(queries.promotional(wallet)) == 5
    buy(alice, course="knots")
    assert [credits for _, credits in remaining()] == [0, 0, 0, 0, 5]
    assert Order.objects.get().price == 45
