"""Stripe's side of a payment: a server that speaks its API, and its signed events."""

import json

import pytest
import stripe
from django.utils import timezone

from payments.models import ProviderEvent, Reversal, TopUp
from payments.providers import stripe as provider
from tests.payments.conftest import order_pack
from tests.payments.stripe import stripe_server
from tests.payments.stripe.stripe_server import KEY, SECRET, event, signed

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
