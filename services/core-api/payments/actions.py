"""Buying credit: the intent, the provider's answer, and what the provider says happened."""

from __future__ import annotations

import structlog
from django.db import IntegrityError
from django.utils import timezone

from accounts.models import User
from payments.errors import ProviderRefused, ProviderUnavailable
from payments.models import CreditPack, ProviderEvent, TopUp
from payments.providers import providers
from payments.providers.base import Checkout, Event, Provider, ProviderError
from payments.serializers import TopUpSerializer
from wallet.actions import do_credit_topup
from wallet.idempotency import Answer, RequestKey, do_answer, do_claim, first_answer
from wallet.ledger import lock_wallet
from wallet.locking import money_transaction
from wallet.models import IdempotencyKey

log = structlog.get_logger("lectern.payments")
Outcome = ProviderEvent.Outcome
Status = TopUp.Status


def buy_pack(key: RequestKey, pack: CreditPack, provider: Provider) -> Answer:
    """Commits the intent with its key, then asks the provider for a checkout. A repetition after a failed call resumes the intent.

    Raises KeyReused, Busy, ProviderUnavailable, ProviderRefused.
    """
    with money_transaction():
        row = do_claim(key)
        if answer := first_answer(row):
            return answer
        topup = do_intend(row, key.user, pack, provider)
    checkout = open_checkout(provider, topup)
    with money_transaction():
        return do_record_checkout(row, topup, checkout)


def do_intend(row: IdempotencyKey, user: User, pack: CreditPack, provider: Provider) -> TopUp:
    if row.subject is not None:
        return TopUp.objects.get(pk=row.subject)
    price = {"credits": pack.credits, "amount": pack.amount, "currency": pack.currency}
    topup = TopUp.objects.create(user=user, pack=pack, provider=provider.name, **price)
    row.subject = topup.pk
    row.save(update_fields=["subject"])
    return topup


def open_checkout(provider: Provider, topup: TopUp) -> Checkout:
    try:
        return provider.create(topup)
    except ProviderError as error:
        log.warning("provider_call_failed", provider=provider.name, topup=str(topup.pk), error=str(error))
        raise (ProviderUnavailable if error.retryable else ProviderRefused) from error


def do_record_checkout(row: IdempotencyKey, topup: TopUp, checkout: Checkout) -> Answer:
    """Writes only what create() told: an event about this payment may have arrived, and been applied, before."""
    row = IdempotencyKey.objects.select_for_update().get(pk=row.pk)
    if answer := first_answer(row):  # a twin, resuming the same intent, was faster
        return answer
    TopUp.objects.filter(pk=topup.pk).update(provider_reference=checkout.reference, checkout_url=checkout.url)
    topup.refresh_from_db()
    answer = Answer(201, TopUpSerializer(topup).data)
    do_answer(row, answer)
    return answer


def refresh_topup(topup: TopUp) -> None:
    """Asks the provider how a top-up stands and applies the answer, as if it were an event. Raises ProviderError, KeyError."""
    provider = providers()[topup.provider]
    event = provider.fetch(topup)
    if event.kind != "other":
        apply_event(provider.name, event)


def apply_event(provider: str, event: Event) -> None:
    """Applies a verified event once, however many copies come, at once or later. Raises Busy."""
    try:
        with money_transaction():
            do_apply(provider, event)
    except IntegrityError:
        if not _recorded(provider, event):
            raise


def do_apply(provider: str, event: Event) -> None:
    named = TopUp.objects.select_related("user")
    topup = named.filter(pk=event.topup_id).first() if event.topup_id else None
    wallet = lock_wallet(topup.user) if topup else None  # copies of one event take turns here
    if _recorded(provider, event):
        return
    outcome, detail = Outcome.QUARANTINED, "There is no such top-up."
    if topup and wallet:
        topup.refresh_from_db(from_queryset=TopUp.objects.select_for_update())
        outcome, detail = judge(topup, provider, event)
        if outcome == Outcome.APPLIED:
            do_settle(topup, event)
            if event.kind == "paid":
                do_credit_topup(wallet, topup)
    if outcome == Outcome.QUARANTINED:
        log.warning("payment_quarantined", provider=provider, provider_event=event.id, detail=detail)
    ProviderEvent.objects.create(
        provider=provider, event_id=event.id, kind=event.kind, topup=topup, outcome=outcome, detail=detail
    )


def _recorded(provider: str, event: Event) -> bool:
    return ProviderEvent.objects.filter(provider=provider, event_id=event.id).exists()


def judge(topup: TopUp, provider: str, event: Event) -> tuple[ProviderEvent.Outcome, str]:
    """What an event means for its locked top-up, and why. Events come in any order: paid is final, failed is not."""
    if provider != topup.provider:
        return Outcome.QUARANTINED, f"The top-up belongs to {topup.provider}."
    if topup.provider_reference not in ("", event.reference):
        return Outcome.QUARANTINED, f"The top-up's payment is {topup.provider_reference}, not {event.reference}."[:300]
    if event.kind == "other":
        return Outcome.IGNORED, "Says nothing about money."
    if topup.status in (Status.PAID, Status.REFUNDED):
        return Outcome.IGNORED, "The top-up is paid already."
    if event.kind == "failed":
        return (Outcome.IGNORED, "Failed already.") if topup.status == Status.FAILED else (Outcome.APPLIED, "")
    if (event.amount, event.currency) != (topup.amount, topup.currency):
        paid, due = f"{event.amount} {event.currency}", f"{topup.amount} {topup.currency}"
        return Outcome.QUARANTINED, f"{paid} was paid instead of {due}."[:300]
    return Outcome.APPLIED, ""


def do_settle(topup: TopUp, event: Event) -> None:
    paid = event.kind == "paid"
    topup.status = Status.PAID if paid else Status.FAILED
    topup.paid_at = timezone.now() if paid else None
    topup.provider_reference = event.reference
    topup.save(update_fields=["status", "paid_at", "provider_reference"])
