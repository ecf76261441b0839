"""What Lectern needs of a payment provider."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from payments.models import TopUp

EventKind = Literal["paid", "failed", "other"]


class ProviderError(Exception):
    """A call to the provider failed. `retryable` says whether the same call may work later."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


@dataclass(frozen=True)
class Checkout:
    """Where the buyer pays, and the provider's own id of the payment."""

    reference: str
    url: str


@dataclass(frozen=True)
class Event:
    """What a provider says about a payment. `id` is the provider's and the same in every copy of the event."""

    id: str
    kind: EventKind
    topup_id: uuid.UUID | None  # our intent, as the provider was told it
    reference: str
    amount: int  # in the currency's smallest unit
    currency: str


class Provider(Protocol):
    """One payment provider. No method is called inside a database transaction."""

    name: str

    def create(self, topup: TopUp) -> Checkout:
        """Opens the payment of an intent, whose id is the idempotency key: asked again, gives the same. Raises ProviderError."""

    def fetch(self, topup: TopUp) -> Event:
        """How the payment of an intent stands now; `other` while it is open. Raises ProviderError."""

    def parse_event(self, body: bytes, headers: Mapping[str, str]) -> Event:
        """The event of a webhook request. Raises SignatureInvalid, Malformed."""
