"""Stripe is asked about what it did not tell."""

import pytest
from django.utils import timezone

from payments.catching_up import ask_about_pending_topups
from payments.models import TopUp
from payments.providers import stripe as provider
from tests.payments.conftest import order_pack, status_of, wallet_of
from tests.payments.stripe.conftest import is_due, outcomes, reference_of, send
from tests.payments.stripe.stripe_server import event


def test_a_lost_webhook_is_made_good_after_ten_minutes(api, alice, topup, session):
    ask_about_pending_topups()
    assert status_of(topup) == "pending"  # too early
    is_due()
    ask_about_pending_topups()
    assert (status_of(topup), wallet_of(alice)[0]) == ("paid", 100)
    send(api, event("checkout.session.completed", session))
    assert (wallet_of(alice)[0], outcomes()) == (100, ["applied", "ignored"])


def test_whoever_was_cut_off_between_the_intent_and_the_call_is_caught_up_with(side, api, alice, monkeypatch):
    def killed(self, topup):
        raise RuntimeError("killed")

    with monkeypatch.context() as dying:
        dying.setattr(provider.Stripe, "create", killed)
        with pytest.raises(RuntimeError):
            order_pack(api.as_(alice), key="k-1", provider="stripe")
    is_due()
    ask_about_pending_topups()
    (session,) = side.sessions.values()
    assert order_pack(api.as_(alice), key="k-1", provider="stripe").json()["checkout_url"] == session["url"]
    side.pay(session["id"])
    is_due()
    ask_about_pending_topups()
    assert (TopUp.objects.get().status, wallet_of(alice)[0], len(side.sessions)) == ("paid", 100, 1)


def test_while_stripe_is_down_it_is_left_alone_and_asked_later(side, api, alice, topup, session):
    order_pack(api.as_(alice), provider="stripe")
    is_due()
    side.requests.clear()
    side.faults += [503] * 2
    ask_about_pending_topups()
    assert len(side.requests) == 2  # the first top-up, and the SDK's one more try
    assert sorted(TopUp.objects.values_list("checks", flat=True)) == [0, 1]
    is_due()
    ask_about_pending_topups()
    assert (status_of(topup), wallet_of(alice)[0]) == ("paid", 100)


def test_pauses_grow_and_one_that_expired_has_failed(side, topup):
    for checks in range(3):
        is_due()
        ask_about_pending_topups()
        waits = TopUp.objects.get().next_check_at - timezone.now()
        assert 2**checks - 1 < waits.total_seconds() / 60 <= 2**checks
    side.expire(reference_of(topup))
    is_due()
    ask_about_pending_topups()
    assert status_of(topup) == "failed"


@pytest.mark.parametrize("status", ["requires_payment_method", "canceled"])
def test_a_slow_payment_that_failed_unheard_has_failed(side, topup, status):
    session = side.pay(reference_of(topup), "unpaid")
    is_due()
    ask_about_pending_topups()
    assert status_of(topup) == "pending"
    side.intents[session["payment_intent"]]["status"] = status
    is_due()
    ask_about_pending_topups()
    assert status_of(topup) == "failed"


def test_an_intent_too_old_to_be_begun_has_failed(side, api, alice):
    side.faults += ["lost", "lost"]
    order_pack(api.as_(alice), provider="stripe")
    side.answers.clear()  # Stripe forgets keys after a day
    TopUp.objects.update(created_at=timezone.now() - timezone.timedelta(days=2))
    is_due()
    ask_about_pending_topups()
    assert TopUp.objects.get().status == "failed"
