"""Top-ups of alice's, and webhooks as the sandbox would send them."""

from __future__ import annotations

import json
import time

import pytest
from django.conf import settings

from payments.models import SandboxPayment
from payments.providers.sandbox import SIGNATURE_HEADER, Sandbox
from payments.providers.signing import sign
from tests import books

WEBHOOK = "/api/v1/payments/sandbox/webhook/"


@pytest.fixture
def topup(api, alice):
    """A pending top-up of 100 credits for 10.00 EUR, as the API answered it."""
    return order_pack(api.as_(alice)).json()


def order_pack(client, pack="small", key=None, **body):
    body = {"pack": pack, "provider": "sandbox", **body}
    return client.post("/api/v1/wallet/topups/", body, headers={"Idempotency-Key": key or books.new_key()})


def event_of(topup, outcome="paid", /, **changes):
    """The sandbox's event about a top-up, without the sandbox having sent it."""
    payment = SandboxPayment.objects.get(topup_id=topup["id"])
    payment.outcome = outcome
    return Sandbox().describe(payment) | changes


def send(client, event, *, secret=None, age=0, body=None, signature=None):
    body = json.dumps(event).encode() if body is None else body
    if signature is None:
        signature = sign(secret or settings.SANDBOX_SECRET, body, int(time.time()) - age)
    return client.post(WEBHOOK, body, content_type="application/json", headers={SIGNATURE_HEADER: signature})
