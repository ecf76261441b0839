"""What the sandbox provider does when its buyer decides: it records the outcome and sends its webhook.

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

from config.jobs import defer
from config.problems import NotFound
from payments.errors import PaymentSettled
from payments.models import SandboxPayment, TopUp
from payments.providers.sandbox import Sandbox

log = structlog.get_logger("lectern.sandbox")
ATTEMPTS = 5
RETRY_AFTER_S = 2


def payment_of(reference: str) -> SandboxPayment:
    payment = SandboxPayment.objects.filter(pk=reference).first()
    if payment is None:
        raise NotFound
    return payment


def decide(reference: str, outcome: str, copies: int, delay_s: int) -> SandboxPayment:
    """The buyer pays or fails; the webhook goes out `copies` times after `delay_s`. Raises NotFound, PaymentSettled."""
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
