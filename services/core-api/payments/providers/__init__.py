"""The payment providers that this installation uses."""

from __future__ import annotations

from django.conf import settings

from payments.providers.base import Provider
from payments.providers.sandbox import Sandbox


def providers() -> dict[str, Provider]:
    """By name, those that are switched on."""
    return {"sandbox": Sandbox()} if settings.SANDBOX_PAYMENTS else {}
