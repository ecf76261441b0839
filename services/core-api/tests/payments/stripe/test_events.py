"""What Stripe says in its events: twice, early, forged, about somebody else's business."""

import pytest

from mail.models import Mail
from payments.providers import stripe as provider
from tests import books
from tests.payments.conftest import order_pack, status_of, wallet_of
from tests.payments.stripe.conftest import OLD_SECRET, outcomes, reference_of, send
from tests.payments.stripe.stripe_server import event, signed


def test_a_completed_session_brings_the_credit_once(api, alice, topup, session):
    completed = event("checkout.session.completed", session)
    for about in (completed, completed, event("checkout.session.completed", session)):
        assert send(api, about).status_code == 200
    assert (wallet_of(alice)[0], status_of(topup), outcomes()) == (100, "paid", ["applied", "ignored"])


def test_fifty_copies_at_once_credit_once(side, at_once, api, alice):
    topup = order_pack(api.as_(alice), provider="stripe").json()
    completed = event("checkout.session.completed", side.pay(reference_of(topup)))
    answers = at_once(50, lambda number: books.patiently(lambda: send(api, completed)))
    assert {answer.status_code for answer in answers} == {200}
    assert (wallet_of(alice)[0], outcomes()) == (100, ["applied"])


def test_an_event_may_come_before_stripes_own_answer(side, api, alice, monkeypatch):
    create = provider.Stripe.create

    def create_slowly(self, topup):
        checkout = create(self, topup)
        send(api, event("checkout.session.completed", side.pay(checkout.reference)))
        return checkout

    monkeypatch.setattr(provider.Stripe, "create", create_slowly)
    assert order_pack(api.as_(alice), provider="stripe").json()["status"] == "paid"
    assert wallet_of(alice)[0] == 100


FORGED = (
    {"secret": "whsec_somebody_elses"},
    {"age": 301},
    {"age": -330},
    {"header": ""},
    {"header": "t=1"},
    {"header": "v1=00"},
    {"header": "t=x,v1=00"},
    {"header": "t=1,v1=\u00e9"},
    {"body": "{}", "header": signed("another body")},
    {"body": b"\xff", "header": signed("x")},
)


def test_a_forged_or_stale_event_is_refused(api, alice, session):
    for forged in FORGED:
        answer = send(api, event("checkout.session.completed", session), **forged)
        assert (forged, answer.status_code, answer.json()["code"]) == (forged, 400, "signature_invalid")
    assert (wallet_of(alice)[0], outcomes()) == (0, [])


def test_two_secrets_count_while_one_is_being_replaced(api, alice, session):
    send(api, event("checkout.session.completed", session), OLD_SECRET)
    assert wallet_of(alice)[0] == 100


def test_a_signed_body_that_is_no_event_is_malformed(side, api):
    for body in ("", "{", "[]", "null", '{"id": "evt_1", "type": "refund.updated"}'):
        assert (send(api, None, body=body).json()["code"], side.requests) == ("malformed", [])


@pytest.mark.parametrize("changes", [{"amount_total": 999}, {"amount_total": 100000}, {"currency": "usd"}])
def test_another_amount_is_quarantined_and_admins_hear_once(api, alice, root, session, changes):
    wrong = event("checkout.session.completed", session | changes)
    assert [send(api, wrong).status_code for _ in range(3)] == [200] * 3
    assert (wallet_of(alice)[0], outcomes(), Mail.objects.get().user) == (0, ["quarantined"], root)
    send(api, event("checkout.session.completed", session))
    assert wallet_of(alice)[0] == 100


def test_somebody_elses_business_on_the_same_account_is_ignored(side, api, alice, session):
    strange = session | {"metadata": {}}
    intent = side.intents[session["payment_intent"]]
    intent["metadata"] = {}
    for about in (
        event("checkout.session.completed", strange),
        event("charge.dispute.created", side.dispute(intent["id"])),
        event("refund.created", side.refund(intent["id"])),
        event("customer.created", {"id": "cus_1", "object": "customer"}),
        event("payment_intent.succeeded", intent),
    ):
        assert send(api, about).status_code == 200
    assert (wallet_of(alice)[0], outcomes()) == (0, [])


def test_a_slow_way_of_paying_counts_when_the_money_is_there(side, api, alice, topup):
    waiting = side.pay(reference_of(topup), "unpaid")
    send(api, event("checkout.session.completed", waiting))
    assert (status_of(topup), wallet_of(alice)[0]) == ("pending", 0)
    done = event("checkout.session.async_payment_succeeded", waiting | {"payment_status": "paid"})
    send(api, done)
    assert (status_of(topup), wallet_of(alice)[0]) == ("paid", 100)


@pytest.mark.parametrize("kind", ["checkout.session.async_payment_failed", "checkout.session.expired"])
def test_a_session_that_came_to_nothing(side, api, alice, topup, kind):
    send(api, event(kind, side.expire(reference_of(topup))))
    assert (status_of(topup), wallet_of(alice)[0]) == ("failed", 0)
