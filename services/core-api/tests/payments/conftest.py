"""Top-ups of alice's, and webhooks as the sandbox would send them."""

from __future__ import annotations

import json
import time

import pytest
from django.conf import settings

from payments.models import SandboxPayment, TopUp
from payments.providers.sandbox import SIGNATURE_HEADER, Sandbox
from payments.providers.signing import sign
from tests import books
from wallet.models import Posting, Wallet

WEBHOOK = "/api/v1/payments/sandbox/webhook/"


@pytest.fixture(autouse=True)
def books_stay_right(request, database):
    """After every test here too; quick where no credit moved and none should have."""
    yield
    moved = Posting.objects.exists() or TopUp.objects.filter(status__in=["paid", "refunded"]).exists()
    if moved and not request.node.get_closest_marker("spoils_the_books"):
        books.assert_books_are_right()


@pytest.fixture
def topup(api, alice):
    """A pending top-up of 100 credits for 10.00 EUR, as the API answered it."""
    return order_pack(api.as_(alice)).json()


def order_pack(client, pack="small", key=None, **body):
    body = {"pack": pack, "provider": "sandbox", **body}
    return client.post("/api/v1/wallet/topups/", body, headers={"Idempotency-Key": key or books.new_key()})


@pytest.fixture
def paid(api, alice, topup):
    """The same, paid: alice holds 100 credits."""
    assert api.post(topup["checkout_url"], {"outcome": "paid"}).status_code == 202
    return topup


def refund(client, topup, key=None, **body):
    address = f"/api/v1/wallet/topups/{topup['id']}/refund/"
    return client.post(address, {"reason": "Asked for", **body}, headers={"Idempotency-Key": key or books.new_key()})


def wallet_of(person):
    """`(balance, frozen)`"""
    return Wallet.objects.filter(user=person).values_list("balance", "frozen").first() or (0, False)


def status_of(topup):
    return TopUp.objects.get(pk=topup["id"]).status


def event_of(topup, outcome="paid", /, **changes):
    """The sandbox's event about a top-up, without the sandbox having sent it."""
    payment = SandboxPayment.objects.get(topup_id=topup["id"])
    payment.outcome = outcome
    return Sandbox().describe(payment) | changes


def reversal_of(topup, kind="dispute", stage="pending", amount=1000, reference="sbr_1", **changes):
    """The sandbox's event about a refund or a dispute."""
    about = {"id": f"evt_{reference}_{stage}", "type": f"{kind}.{stage}", "reversal": reference, "asked_as": None}
    return event_of(topup) | about | {"amount": amount} | changes


def send(client, event, *, secret=None, age=0, body=None, signature=None):
    body = json.dumps(event).encode() if body is None else body
    if signature is None:
        signature = sign(secret or settings.SANDBOX_SECRET, body, int(time.time()) - age)
    return client.post(WEBHOOK, body, content_type="application/json", headers={SIGNATURE_HEADER: signature})
