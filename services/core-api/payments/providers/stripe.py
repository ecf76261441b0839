"""Stripe, through its own SDK: hosted Checkout Sessions, webhooks, refunds, disputes.

A top-up's `provider_reference` is its Checkout Session (`cs_…`). Its id stands in the metadata of the session and of the
payment intent (and so of the charge), which is how refunds and disputes find it: their events name the payment intent.
Events of payments without that metadata are somebody else's business on the same Stripe account.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any

import stripe
from django.conf import settings

from config.problems import Malformed
from payments.errors import SignatureInvalid
from payments.models import Reversal, TopUp
from payments.providers.base import Checkout, Event, EventKind, ProviderError

API_VERSION = "2026-10-28.endive"  # what this code was written against; the SDK's own
TIMEOUT = (3, 8)  # seconds to connect, seconds to answer
RETRIES = 1  # by the SDK, with the same idempotency key
TOLERANCE = 300  # seconds that a signature may be old, or ahead of our clock
OPEN_FOR = timedelta(hours=23)  # Stripe allows 24 hours from its own receipt of the request
TOPUP, REFUND = "lectern_topup", "lectern_refund"  # in metadata

Stage = Reversal.Stage
REFUND_STAGES = {
    "pending": Stage.PENDING,
    "requires_action": Stage.PENDING,
    "succeeded": Stage.DONE,
    "failed": Stage.UNDONE,
    "canceled": Stage.UNDONE,
}
DISPUTE_STAGES = {  # an inquiry (`warning_…`) takes no money, so it is no dispute yet
    "needs_response": Stage.PENDING,
    "under_review": Stage.PENDING,
    "appeal_needs_response": Stage.PENDING,
    "appeal_under_review": Stage.PENDING,
    "lost": Stage.DONE,
    "won": Stage.UNDONE,
    "prevented": Stage.UNDONE,
}
OVER = ("checkout.session.async_payment_failed", "checkout.session.expired")

stripe.enable_telemetry = False
logging.getLogger("stripe").setLevel(logging.WARNING)  # below that it logs what it sends and gets: buyers' addresses


class Stripe:
    name = "stripe"

    def create(self, topup: TopUp) -> Checkout:
        with _told():
            session = self._api.v1.checkout.sessions.create(self._order(topup), {"idempotency_key": str(topup.pk)})
        return Checkout(session.id, session.url or "")

    def _order(self, topup: TopUp) -> Any:
        """The same, to the last letter, for the same intent: Stripe refuses a key that comes with another request."""
        mine = {TOPUP: str(topup.pk)}
        product = {"currency": topup.currency.lower(), "unit_amount": topup.amount}
        back = f"{settings.PUBLIC_URL}/?topup={topup.pk}&checkout="
        return {
            "mode": "payment",
            "line_items": [
                {"quantity": 1, "price_data": product | {"product_data": {"name": f"{topup.credits} credits"}}}
            ],
            "client_reference_id": str(topup.pk),
            "metadata": mine,
            "payment_intent_data": {"metadata": mine},
            "success_url": back + "done",
            "cancel_url": back + "cancelled",
            "expires_at": int((topup.created_at + OPEN_FOR).timestamp()),
        }

    def fetch(self, topup: TopUp) -> Event:
        with _told():
            params: Any = {"expand": ["payment_intent"]}
            session = self._api.v1.checkout.sessions.retrieve(topup.provider_reference, params).to_dict()
        intent = session.get("payment_intent") or {}
        # A bank transfer that failed leaves the session complete and unpaid, as one that is under way does.
        failed = session["status"] == "complete" and intent.get("status") in ("requires_payment_method", "canceled")
        over = session["status"] == "expired" or failed
        return _payment(f"fetch:{session['id']}", session, over)

    def refund(self, refund: Reversal) -> Event:
        with _told():
            made = self._refund(refund).to_dict()
        event_id = f"fetch:{made['id']}:{made['status']}"
        return _reversal(event_id, "refund", made, REFUND_STAGES[made["status"]], str(refund.topup_id))

    def _refund(self, refund: Reversal) -> stripe.Refund:
        if refund.reference:
            return self._api.v1.refunds.retrieve(refund.reference)
        session = self._api.v1.checkout.sessions.retrieve(refund.topup.provider_reference)
        intent = str(session.payment_intent)
        metadata = {TOPUP: str(refund.topup_id), REFUND: str(refund.pk)}
        params: Any = {"payment_intent": intent, "amount": refund.amount, "metadata": metadata}
        try:
            return self._api.v1.refunds.create(params, {"idempotency_key": str(refund.pk)})
        except stripe.InvalidRequestError:
            # Stripe forgets idempotency keys after a day, and then refuses to refund twice what we refunded long ago.
            made = self._api.v1.refunds.list({"payment_intent": intent, "limit": 100}).data
            ours = [it for it in made if _metadata(it.to_dict()).get(REFUND) == str(refund.pk)]
            if not ours:
                raise
            return ours[0]

    def parse_event(self, body: bytes, headers: Mapping[str, str]) -> list[Event]:
        check_signature(body, headers.get("Stripe-Signature", ""))
        try:
            event = json.loads(body)
            return list(self._read(str(event["id"]), str(event["type"]), event["data"]["object"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Malformed("The body is not an event of Stripe's.") from error

    def _read(self, event_id: str, kind: str, what: dict[str, Any]) -> Iterator[Event]:
        if kind.startswith("checkout.session."):
            if TOPUP in _metadata(what):
                yield _payment(event_id, what, kind in OVER)
        elif kind == "charge.refunded":  # names a charge, whose refunds are asked for
            with _told():
                made = self._api.v1.refunds.list({"charge": what["id"], "limit": 100}).data
            for refund in made:
                yield from self._read_refund(f"{event_id}:{refund.id}", refund.to_dict())
        elif kind.startswith("refund.") or kind == "charge.refund.updated":
            yield from self._read_refund(event_id, what)
        elif kind.startswith("charge.dispute.") and what["status"] in DISPUTE_STAGES:
            stage, topup = DISPUTE_STAGES[what["status"]], self._topup_of(what)
            yield from [_reversal(event_id, "dispute", what, stage, topup)] if topup else []

    def _read_refund(self, event_id: str, refund: dict[str, Any]) -> Iterator[Event]:
        topup = _metadata(refund).get(TOPUP) or self._topup_of(refund)
        if topup and refund["status"] in REFUND_STAGES:
            yield _reversal(event_id, "refund", refund, REFUND_STAGES[refund["status"]], topup)

    def _topup_of(self, what: dict[str, Any]) -> str | None:
        """Whose payment a refund or a dispute is about, by asking: its event may come before the payment's own."""
        if not what.get("payment_intent"):
            return None
        with _told():
            intent = self._api.v1.payment_intents.retrieve(what["payment_intent"])
        return _metadata(intent.to_dict()).get(TOPUP)

    @property
    def _api(self) -> stripe.StripeClient:
        return _client(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE)


@lru_cache(maxsize=2)
def _client(key: str, base: str) -> stripe.StripeClient:
    """One for the process: it keeps connections open, one for each thread."""
    return stripe.StripeClient(
        key,
        stripe_version=API_VERSION,
        base_addresses={"api": base},
        max_network_retries=RETRIES,
        http_client=stripe.RequestsClient(timeout=TIMEOUT),
    )


@contextmanager
def _told() -> Iterator[None]:
    """Turns the SDK's errors into ours. Wrong keys can be put right, so what they hinder works later."""
    try:
        yield
    except (stripe.InvalidRequestError, stripe.CardError) as error:
        raise ProviderError(_what(error), retryable=False) from error
    except stripe.IdempotencyError as error:
        raise ProviderError(_what(error), retryable=error.http_status == 409) from error
    except stripe.StripeError as error:
        raise ProviderError(_what(error), retryable=True) from error


def _what(error: stripe.StripeError) -> str:
    """For logs and admins: no body, which may hold what a buyer typed."""
    return f"{type(error).__name__} {error.http_status or ''} {error.code or ''} {error.request_id or ''}".strip()


def check_signature(body: bytes, header: str) -> None:
    """Raises SignatureInvalid unless one of our secrets signed this body a short while ago."""
    for secret in settings.STRIPE_WEBHOOK_SECRETS:
        try:
            stripe.WebhookSignature.verify_header(body, header, secret, TOLERANCE)
        except (stripe.SignatureVerificationError, ValueError, TypeError):
            continue
        signed_at, _ = stripe.WebhookSignature._get_timestamp_and_signatures(header, "v1")
        if signed_at <= time.time() + TOLERANCE:  # the SDK looks at the past only
            return
    raise SignatureInvalid


def _payment(event_id: str, session: dict[str, Any], over: bool) -> Event:
    paid = session.get("payment_status") == "paid"
    kind: EventKind = "paid" if paid else "failed" if over else "other"
    suffix = f":{kind}" if event_id.startswith("fetch:") else ""  # what we ask for has no id of its own
    return Event(
        id=event_id + suffix,
        kind=kind,
        topup_id=_uuid(_metadata(session).get(TOPUP)),
        reference=str(session["id"]),
        amount=int(session["amount_total"] or 0),
        currency=str(session["currency"] or "").upper(),
    )


def _reversal(event_id: str, kind: EventKind, what: dict[str, Any], stage: Reversal.Stage, topup: str | None) -> Event:
    return Event(
        id=event_id,
        kind=kind,
        topup_id=_uuid(topup),
        reference=str(what["id"]),
        amount=int(what["amount"]),
        currency=str(what["currency"]).upper(),
        stage=stage,
        reversal_id=_uuid(_metadata(what).get(REFUND)),
    )


def _metadata(what: dict[str, Any]) -> dict[str, str]:
    return what.get("metadata") or {}


def _uuid(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(text or "")
    except ValueError:
        return None
