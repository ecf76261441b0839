"""What the sandbox provider does when its buyer, a bank or an admin decides: it records the outcome and sends its webhook.

The webhook request is signed and goes through the same address, view and checks as any provider's, but without a socket:
the service then needs no address of its own that it can reach, in a container, under `runserver` and in tests alike.
"""

from __future__ import annotations

import io
import sys
from typing import Any

import structlog
from django.core.handlers.wsgi import WSGIRequest
from django.db import transaction
from django.urls import resolve, reverse

from config.ids import uuid7
from config.jobs import defer
from config.problems import NotFound
from payments.errors import NothingToReverse, PaymentSettled
from payments.models import Reversal, SandboxPayment, SandboxReversal, TopUp
from payments.providers.sandbox import Sandbox

log = structlog.get_logger("lectern.sandbox")
_Kind, _Stage = Reversal.Kind, Reversal.Stage
REVERSED = {  # what the buttons of a dashboard, or a bank, do: the kind, its stage, and whether it begins with this
    "refunded": (_Kind.REFUND, _Stage.DONE, True),
    "refund_failed": (_Kind.REFUND, _Stage.UNDONE, False),
    "disputed": (_Kind.DISPUTE, _Stage.PENDING, True),
    "dispute_lost": (_Kind.DISPUTE, _Stage.DONE, False),
    "dispute_won": (_Kind.DISPUTE, _Stage.UNDONE, False),
}
ATTEMPTS = 5
RETRY_AFTER_S = 2


def payment_of(reference: str) -> SandboxPayment:
    payment = SandboxPayment.objects.filter(pk=reference).first()
    if payment is None:
        raise NotFound
    return payment


def decide(reference: str, outcome: str, copies: int, delay_s: int, amount: int | None = None) -> SandboxPayment:
    """The buyer pays or fails, or money goes back; the webhook goes out `copies` times after `delay_s`.

    Raises NotFound, PaymentSettled, NothingToReverse.
    """
    if outcome in REVERSED:
        reversal = record_reversal(reference, *REVERSED[outcome], amount)
        payment, event = reversal.payment, Sandbox().describe_reversal(reversal)
    else:
        payment = record(reference, outcome)
        event = Sandbox().describe(payment)
    if delay_s:
        send_later(event, copies, delay_s)
    else:
        send(event, copies)
    return payment


def record(reference: str, outcome: str) -> SandboxPayment:
    with transaction.atomic():
        payment = SandboxPayment.objects.select_for_update().filter(pk=reference).first()
        if payment is None:
            raise NotFound
        if payment.outcome == TopUp.Status.PAID and outcome != payment.outcome:
            raise PaymentSettled
        payment.outcome = outcome
        payment.save(update_fields=["outcome"])
    return payment


def record_reversal(
    reference: str, kind: Reversal.Kind, stage: Reversal.Stage, begins: bool, amount: int | None
) -> SandboxReversal:
    """What a real provider's dashboard, or a bank, does: begins a refund or a dispute, or ends the last one."""
    with transaction.atomic():
        payment = SandboxPayment.objects.select_for_update().filter(pk=reference).first()
        if payment is None:
            raise NotFound
        known = payment.reversals.filter(kind=kind)
        reversal = known.exclude(stage=Reversal.Stage.UNDONE).order_by("pk").last()
        if begins:
            gone = sum(known.exclude(stage=Reversal.Stage.UNDONE).values_list("amount", flat=True))
            amount = payment.amount - gone if amount is None else amount
            if payment.outcome != "paid" or not 0 < amount <= payment.amount - gone:
                raise NothingToReverse
            fresh = f"sbr_{uuid7().hex}"
            return SandboxReversal.objects.create(
                reference=fresh, payment=payment, kind=kind, stage=stage, amount=amount
            )
        if reversal is None:
            raise NothingToReverse
        reversal.stage = stage
        reversal.save(update_fields=["stage"])
        return reversal


def send(event: dict[str, Any], copies: int, attempt: int = 1) -> None:
    """Sends the webhook now. Copies that were not taken are sent again a little later, a few times, as providers do."""
    statuses = [_post(event) for _ in range(copies)]
    refused = [status for status in statuses if status >= 300]
    if refused:
        log.warning("sandbox_webhook_refused", provider_event=event["id"], status=refused[0], attempt=attempt)
        if attempt < ATTEMPTS:
            send_later(event, len(refused), RETRY_AFTER_S, attempt + 1)


def send_later(event: dict[str, Any], copies: int, delay_s: int, attempt: int = 1) -> None:
    from payments.tasks import send_sandbox_webhook

    with transaction.atomic():
        defer(send_sandbox_webhook, delay_s=delay_s, event=event, copies=copies, attempt=attempt)


def _post(event: dict[str, Any]) -> int:
    body, headers = Sandbox().signed(event)
    path = reverse("payment-webhook", args=["sandbox"])
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "CONTENT_TYPE": headers.pop("Content-Type"),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    }
    view = resolve(path)
    status: int = view.func(WSGIRequest(environ), *view.args, **view.kwargs).status_code
    return status
