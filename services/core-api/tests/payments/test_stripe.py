"""Stripe, by its own SDK, against a server that speaks its API. What holds for every provider is tested with the sandbox."""

import json
import logging

import pytest
import stripe
from django.utils import timezone

from mail.models import Mail
from payments.catching_up import ask_about_pending_topups, carry_out_pending_refunds
from payments.models import ProviderEvent, Reversal, TopUp
from payments.providers import stripe as provider
from payments.reversals import debt_of
from tests import books
from tests.payments import stripe_server
from tests.payments.conftest import order_pack, refund, status_of, wallet_of
from tests.payments.stripe_server import KEY, SECRET, event, signed

OLD_SECRET = "whsec_that_is_being_replaced"


@pytest.fixture(scope="module")
def served():
    with stripe_server.running() as server_and_address:
        yield server_and_address


@pytest.fixture
def side(served, settings, monkeypatch):
    """Stripe's side."""
    server, address = served
    server.stripe_side = stripe_server.StripeServer()
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.01)
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = KEY, address
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET, OLD_SECRET]
    yield server.stripe_side
    server.stripe_side.released.set()


@pytest.fixture
def impatient(monkeypatch):
    provider._client.cache_clear()
    monkeypatch.setattr(provider, "TIMEOUT", 0.3)
    yield
    provider._client.cache_clear()


@pytest.fixture
def topup(side, api, alice):
    return order_pack(api.as_(alice), provider="stripe").json()


@pytest.fixture
def session(side, topup):
    """Alice's Checkout Session, paid; its event is not sent yet."""
    return side.pay(reference_of(topup))


@pytest.fixture
def paid(api, topup, session):
    assert send(api, event("checkout.session.completed", session)).status_code == 200
    return topup


def reference_of(topup):
    return TopUp.objects.get(pk=topup["id"]).provider_reference


def send(client, about, secret=SECRET, age=0, header=None, body=None):
    body = json.dumps(about) if body is None else body
    headers = {"Stripe-Signature": signed(body, secret, age) if header is None else header}
    return client.post("/api/v1/payments/stripe/webhook/", body, content_type="application/json", headers=headers)


def outcomes():
    return list(ProviderEvent.objects.order_by("pk").values_list("outcome", flat=True))


def is_due():
    TopUp.objects.update(next_check_at=timezone.now())
    Reversal.objects.update(next_attempt_at=timezone.now())


# --- Checkout ----------------------------------------------------------------------------------------------------


def test_alice_is_sent_to_stripes_checkout(side, api, alice):
    answer = order_pack(api.as_(alice), provider="stripe").json()
    assert answer["checkout_url"].startswith("https://checkout.stripe.com/c/pay/cs_test_")
    (session,) = side.sessions.values()
    assert (session["amount_total"], session["currency"], session["mode"]) == (1000, "eur", "payment")
    assert session["client_reference_id"] == session["metadata"]["lectern_topup"] == answer["id"]
    assert session["success_url"].startswith("http://127.0.0.1:8000/")
    ((method, path, headers),) = side.requests
    assert (method, path, headers["Idempotency-Key"]) == ("POST", "/v1/checkout/sessions", answer["id"])
    assert (headers["Stripe-Version"], "X-Stripe-Client-Telemetry" in headers) == (provider.API_VERSION, False)


@pytest.mark.parametrize("faults", [["lost", "lost"], [500, 503], ["late", "late"]])
def test_an_answer_that_was_lost_is_asked_for_again_and_is_the_same_checkout(impatient, side, api, alice, faults):
    side.faults += faults
    answer = order_pack(api.as_(alice), key="k-1", provider="stripe")
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")
    side.released.set()
    again = order_pack(api.as_(alice), key="k-1", provider="stripe")
    assert (again.status_code, len(side.sessions), len(side.requests)) == (201, 1, 3)
    assert again.json()["checkout_url"] == next(iter(side.sessions.values()))["url"]


def test_the_sdk_itself_tries_once_more(side, api, alice):
    side.faults.append("lost")
    assert order_pack(api.as_(alice), provider="stripe").status_code == 201
    assert (len(side.sessions), len(side.requests)) == (1, 2)


def test_a_wrong_key_can_be_put_right(side, api, alice, settings, caplog):
    settings.STRIPE_SECRET_KEY = "sk_test_another"
    assert order_pack(api.as_(alice), key="k-1", provider="stripe").json()["code"] == "provider_unavailable"
    settings.STRIPE_SECRET_KEY = KEY
    assert order_pack(api.as_(alice), key="k-1", provider="stripe").status_code == 201


def test_what_stripe_refuses_is_refused(side, api, alice):
    side.faults += [402]
    assert order_pack(api.as_(alice), provider="stripe").json()["code"] == "provider_refused"


def test_no_secret_is_logged_or_answered(side, api, alice, caplog):
    caplog.set_level(logging.DEBUG)
    topup = order_pack(api.as_(alice), provider="stripe")
    side.faults += [500, 500]
    order_pack(api.as_(alice), provider="stripe")
    told = caplog.text + topup.content.decode()
    assert "provider_call_failed" in told
    assert KEY not in told
    assert "checkout/sessions" not in "".join(it.getMessage() for it in caplog.records if it.name == "stripe")


# --- Webhooks ----------------------------------------------------------------------------------------------------


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


# --- Asking ------------------------------------------------------------------------------------------------------


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


# --- Refunds and disputes ----------------------------------------------------------------------------------------


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
    assert (wallet_of(alice), debt_of(alice)) == ((0, True), 30)
    send(api, event("charge.dispute.updated", dispute | {"status": "under_review"}))
    send(api, event("charge.dispute.closed", dispute | {"status": "lost"}))
    assert (status_of(paid), debt_of(alice)) == ("refunded", 30)
    send(api, event("charge.dispute.funds_reinstated", dispute | {"status": "won"}))
    assert (wallet_of(alice), status_of(paid), debt_of(alice)) == ((70, False), "paid", 0)


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
