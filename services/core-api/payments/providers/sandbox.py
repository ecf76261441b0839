"""The sandbox: a payment provider of our own that takes no money, for demonstrations, development and tests.

It keeps its own record of payments, shows a hosted page, and tells Lectern what happened only by signed webhooks, which
it can send several times and late.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.urls import reverse

from config.problems import Malformed
from payments.models import SandboxPayment, TopUp
from payments.providers.base import Checkout, Event, ProviderError
from payments.providers.signing import check_signature, sign

SIGNATURE_HEADER = "Sandbox-Signature"


class Sandbox:
    name = "sandbox"

    def create(self, topup: TopUp) -> Checkout:
        fresh = {
            "reference": f"sbx_{secrets.token_urlsafe(24)}",
            "amount": topup.amount,
            "currency": topup.currency,
        }
        payment, _ = SandboxPayment.objects.get_or_create(topup_id=topup.pk, defaults=fresh)
        page = reverse("sandbox-checkout", args=[payment.reference])
        return Checkout(payment.reference, settings.PUBLIC_URL + page)

    def fetch(self, topup: TopUp) -> Event:
        payment = SandboxPayment.objects.filter(topup_id=topup.pk).first()
        if payment is None:
            raise ProviderError("The sandbox knows no payment for this top-up.", retryable=False)
        return self._event(self.describe(payment))

    def parse_event(self, body: bytes, headers: Mapping[str, str]) -> Event:
        check_signature(settings.SANDBOX_SECRET, body, headers.get(SIGNATURE_HEADER, ""))
        try:
            return self._event(json.loads(body))
        except (ValueError, KeyError, TypeError) as error:
            raise Malformed("The body is not an event of the sandbox.") from error

    def describe(self, payment: SandboxPayment) -> dict[str, Any]:
        """The event that tells how a payment stands: the same one however often it is asked for."""
        outcome = payment.outcome or "open"
        return {
            "id": f"evt_{payment.reference}_{outcome}",
            "type": f"payment.{outcome}",
            "payment": payment.reference,
            "topup": str(payment.topup_id),
            "amount": payment.amount,
            "currency": payment.currency,
        }

    def signed(self, event: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of a webhook request, signed now."""
        body = json.dumps(event).encode()
        return body, {"Content-Type": "application/json", SIGNATURE_HEADER: sign(settings.SANDBOX_SECRET, body)}

    def _event(self, event: dict[str, Any]) -> Event:
        kind = str(event["type"]).removeprefix("payment.")
        return Event(
            id=str(event["id"]),
            kind="paid" if kind == "paid" else "failed" if kind == "failed" else "other",
            topup_id=uuid.UUID(event["topup"]),
            reference=str(event["payment"]),
            amount=int(event["amount"]),
            currency=str(event["currency"]),
        )
