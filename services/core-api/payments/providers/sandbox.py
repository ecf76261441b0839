"""The sandbox: a payment provider of our own that takes no money, for demonstrations, development and tests.

It keeps its own record of payments, refunds and disputes, shows a hosted page, and tells Lectern what happened only by
signed webhooks, which it can send several times and late.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from config.ids import uuid7
from config.problems import Malformed
from payments.models import Reversal, SandboxPayment, SandboxReversal, TopUp
from payments.providers.base import Checkout, Event, EventKind, ProviderError
from payments.providers.signing import check_signature, sign

SIGNATURE_HEADER = "Sandbox-Signature"
OPEN_FOR = timedelta(hours=24)  # a checkout that nobody pays has failed then, as with other providers


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
        payment = self._payment(topup)
        if not payment.outcome and topup.created_at < timezone.now() - OPEN_FOR:
            SandboxPayment.objects.filter(pk=payment.pk, outcome="").update(outcome="failed")
            payment.refresh_from_db()
        return self._event(self.describe(payment))

    def refund(self, refund: Reversal) -> Event:
        from payments import sandbox  # which sends this provider's webhooks

        payment = self._payment(refund.topup)
        if payment.outcome != "paid":
            raise ProviderError("The sandbox has no money of this payment.", retryable=False)
        own = {"reference": f"sbr_{uuid7().hex}", "payment": payment, "amount": refund.amount}
        own |= {"kind": Reversal.Kind.REFUND, "stage": Reversal.Stage.DONE}
        made, is_new = SandboxReversal.objects.get_or_create(asked_as=refund.pk, defaults=own)
        if is_new:
            sandbox.send_later(self.describe_reversal(made), copies=1, delay_s=0)
        return self._event(self.describe_reversal(made))

    def parse_event(self, body: bytes, headers: Mapping[str, str]) -> list[Event]:
        check_signature(settings.SANDBOX_SECRET, body, headers.get(SIGNATURE_HEADER, ""))
        try:
            return [self._event(json.loads(body))]
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

    def describe_reversal(self, reversal: SandboxReversal) -> dict[str, Any]:
        """The event that tells how a refund or a dispute stands."""
        return self.describe(reversal.payment) | {
            "id": f"evt_{reversal.reference}_{reversal.stage}",
            "type": f"{reversal.kind}.{reversal.stage}",
            "reversal": reversal.reference,
            "asked_as": str(reversal.asked_as) if reversal.asked_as else None,
            "amount": reversal.amount,
        }

    def signed(self, event: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of a webhook request, signed now."""
        body = json.dumps(event).encode()
        return body, {"Content-Type": "application/json", SIGNATURE_HEADER: sign(settings.SANDBOX_SECRET, body)}

    def _payment(self, topup: TopUp) -> SandboxPayment:
        payment = SandboxPayment.objects.filter(topup_id=topup.pk).first()
        if payment is None:
            raise ProviderError("The sandbox knows no payment for this top-up.", retryable=False)
        return payment

    def _event(self, event: dict[str, Any]) -> Event:
        about, _, state = str(event["type"]).partition(".")
        common: dict[str, Any] = {
            "id": str(event["id"]),
            "topup_id": uuid.UUID(event["topup"]),
            "amount": int(event["amount"]),
            "currency": str(event["currency"]),
        }
        if about in Reversal.Kind.values:
            return Event(
                kind="refund" if about == "refund" else "dispute",
                stage=Reversal.Stage(state),
                reference=str(event["reversal"]),
                reversal_id=uuid.UUID(event["asked_as"]) if event["asked_as"] else None,
                **common,
            )
        kind: EventKind = "paid" if state == "paid" else "failed" if state == "failed" else "other"
        return Event(kind=kind, reference=str(event["payment"]), **common)
