"""What Lectern needs of a payment provider."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from payments.models import Reversal, TopUp

EventKind = Literal["paid", "failed", "refund", "dispute", "other"]


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
    reference: str  # of the payment; of the refund or the dispute where the event is about one
    amount: int  # in the currency's smallest unit
    currency: str
    stage: Reversal.Stage = Reversal.Stage.PENDING  # of the refund or the dispute
    reversal_id: uuid.UUID | None = None  # our refund, as the provider was told it


class Provider(Protocol):
    """One payment provider. No method is called inside a database transaction."""

    name: str

    def create(self, topup: TopUp) -> Checkout:
        """Opens the payment of an intent, whose id is the idempotency key: asked again, gives the same. Raises ProviderError."""

    def fetch(self, topup: TopUp) -> Event:
        """How the payment of an intent stands now; `other` while it is open. Raises ProviderError."""

    def refund(self, refund: Reversal) -> Event:
        """Has money given back; the reversal's id is the idempotency key. Asked again, tells how it stands now.

        Raises ProviderError; one that is not retryable means that the money was not, and will not be, given back.
        """

    def parse_event(self, body: bytes, headers: Mapping[str, str]) -> Sequence[Event]:
        """What a webhook request says about top-ups; nothing for kinds of no interest, and payments that are not ours.

        Raises SignatureInvalid, Malformed, ProviderError (where the provider must be asked what its event is about).
        """
