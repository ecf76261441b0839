"""Paying at Stripe's Checkout, by its own SDK."""

import logging

import pytest

from payments.providers import stripe as provider
from tests.payments.conftest import order_pack
from tests.payments.stripe.stripe_server import KEY


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
