"""Money that goes back at Stripe, whoever began it."""

import pytest
import stripe

from payments.catching_up import carry_out_pending_refunds
from payments.models import Reversal
from payments.providers import stripe as provider
from payments.reversals import debt_of
from tests import books
from tests.payments.conftest import refund, status_of, wallet_of
from tests.payments.stripe.conftest import is_due, outcomes, send
from tests.payments.stripe.stripe_server import event


def test_a_refund_reaches_stripe_once_and_its_events_change_nothing_more(side, api, alice, fiona, paid, session):
    assert refund(api.as_(fiona), paid).json()["status"] == "refunded"
    (made,) = side.refunds.values()
    assert (made["amount"], made["metadata"]["lectern_refund"]) == (1000, str(Reversal.objects.get().pk))
    charge = side.charge(session["payment_intent"])
    for kind, what in (("refund.created", made), ("refund.updated", made), ("charge.refunded", charge)):
        assert send(api, event(kind, what)).status_code == 200
    assert (wallet_of(alice)[0], Reversal.objects.count()) == (0, 1)


@pytest.mark.parametrize(
    ("status", "faults"), [("succeeded", ["lost", "lost"]), ("succeeded", [503, 503]), ("pending", [])]
)
def test_a_refund_whose_answer_was_lost_is_made_once(side, api, alice, fiona, paid, status, faults):
    side.faults += [None, *faults]
    side.refund_status = status
    refund(api.as_(fiona), paid)
    assert (wallet_of(alice)[0], status_of(paid)) == (0, "paid")
    side.answers.clear()  # more than a day later
    for made in side.refunds.values():
        made["status"] = "succeeded"
    is_due()
    carry_out_pending_refunds()
    assert (status_of(paid), len(side.refunds), wallet_of(alice)[0]) == ("refunded", 1, 0)


def test_a_refund_may_take_its_time_and_fail(side, api, alice, fiona, paid):
    side.refund_status = "pending"
    answer = refund(api.as_(fiona), paid)
    assert (answer.status_code, answer.json()["status"]) == (202, "paid")
    (made,) = side.refunds.values()
    send(api, event("refund.failed", made | {"status": "failed"}))
    send(api, event("refund.updated", made))  # late
    assert (status_of(paid), wallet_of(alice)[0], Reversal.objects.get().stage) == ("paid", 100, "undone")


def test_what_stripe_will_not_refund_gives_the_credits_back(side, api, alice, fiona, paid, session):
    side.refund(session["payment_intent"])  # in the dashboard; we have not heard of it
    answer = refund(api.as_(fiona), paid)
    assert (answer.status_code, answer.json()["code"], wallet_of(alice)[0]) == (502, "provider_refused", 100)
    send(api, event("charge.refunded", side.charge(session["payment_intent"])))
    assert (status_of(paid), wallet_of(alice)[0]) == ("refunded", 0)


def test_refunds_made_in_the_dashboard_are_booked(side, api, alice, paid, session):
    for amount, balance in ((250, 75), (750, 0)):
        made = side.refund(session["payment_intent"], amount)
        send(api, event("charge.refunded", side.charge(session["payment_intent"])))
        send(api, event("refund.created", made))
        assert wallet_of(alice)[0] == balance
    assert (status_of(paid), Reversal.objects.count()) == ("refunded", 2)


def test_a_dispute_lost_and_a_dispute_won(side, api, alice, paid, session):
    books.give(alice, -30)
    dispute = side.dispute(session["payment_intent"])
    send(api, event("charge.dispute.created", dispute))
    send(api, event("charge.dispute.funds_withdrawn", dispute))
    assert (wallet_of(alice), debt_of(alice.pk)) == ((0, True), 30)
    send(api, event("charge.dispute.updated", dispute | {"status": "under_review"}))
    send(api, event("charge.dispute.closed", dispute | {"status": "lost"}))
    assert (status_of(paid), debt_of(alice.pk)) == ("refunded", 30)
    send(api, event("charge.dispute.funds_reinstated", dispute | {"status": "won"}))
    assert (wallet_of(alice), status_of(paid), debt_of(alice.pk)) == ((70, False), "paid", 0)


def test_an_inquiry_takes_nothing(side, api, alice, paid, session):
    for status in ("warning_needs_response", "warning_closed"):
        send(api, event("charge.dispute.created", side.dispute(session["payment_intent"], status)))
    assert wallet_of(alice) == (100, False)


def test_a_dispute_that_overtakes_its_payment(side, api, alice, topup, session):
    send(api, event("charge.dispute.created", side.dispute(session["payment_intent"])))
    send(api, event("checkout.session.completed", session))
    assert (wallet_of(alice), status_of(topup)) == ((0, False), "paid")
    assert "quarantined" not in outcomes()


def test_an_event_that_cannot_be_understood_without_stripe_is_sent_again(side, api, alice, paid, session):
    disputed = event("charge.dispute.created", side.dispute(session["payment_intent"]))
    side.faults += [500, 500]
    assert (send(api, disputed).status_code, wallet_of(alice)[0]) == (503, 100)
    assert (send(api, disputed).status_code, wallet_of(alice)[0]) == (200, 0)


def test_the_version_of_stripes_api_is_the_one_that_the_sdk_was_made_for():
    assert stripe.api_version == provider.API_VERSION
