"""The payment providers that this installation uses."""

from __future__ import annotations

from django.conf import settings

from payments.providers.base import Provider
from payments.providers.sandbox import Sandbox


def providers() -> dict[str, Provider]:
    """By name, those that are switched on."""
    known: dict[str, Provider] = {}
    if settings.STRIPE_SECRET_KEY:
        from payments.providers.stripe import Stripe  # whose SDK takes a while to import

        known["stripe"] = Stripe()
    if settings.SANDBOX_PAYMENTS:
        known["sandbox"] = Sandbox()
    return known
