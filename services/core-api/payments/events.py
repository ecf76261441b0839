"""What providers say about top-ups: applied once, in whatever order and however often they say it."""

from __future__ import annotations

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from audit.actions import record
from audit.kinds import Kind
from mail.actions import do_alert_admins
from payments.models import ProviderEvent, TopUp
from payments.providers import providers
from payments.providers.base import Event
from payments.reversals import do_reverse
from wallet.actions import do_credit_topup
from wallet.ledger import lock_wallet
from wallet.locking import money_transaction
from wallet.models import Wallet

log = structlog.get_logger("lectern.payments")
Outcome = ProviderEvent.Outcome
Status = TopUp.Status
REVERSALS = ("refund", "dispute")


def refresh_topup(topup: TopUp) -> None:
    """Asks the provider how a top-up stands and applies the answer, as if it were an event.

    Where the provider's first answer was lost, it is asked for again: the same one, by the intent's id. Raises ProviderError,
    KeyError, Busy.
    """
    provider = providers()[topup.provider]
    if not topup.provider_reference:
        checkout = provider.create(topup)
        fresh = {"provider_reference": checkout.reference, "checkout_url": checkout.url}
        TopUp.objects.filter(pk=topup.pk).update(**fresh)
        topup.refresh_from_db()
    event = provider.fetch(topup)
    if event.kind != "other":
        apply_event(provider.name, event)


def apply_event(provider: str, event: Event) -> None:
    """Applies a verified event once, however many copies come, at once or later. Raises Busy, ProviderError."""
    if event.kind in REVERSALS:
        _learn_of_payment(event)
    try:
        with money_transaction():
            do_apply(provider, event)
    except IntegrityError:
        if not _recorded(provider, event):
            raise


def _learn_of_payment(event: Event) -> None:
    """A refund or dispute that overtook its payment's own event: the provider is asked about the payment first."""
    topup = TopUp.objects.filter(pk=event.topup_id).first() if event.topup_id else None
    if topup and topup.status not in (Status.PAID, Status.REFUNDED) and topup.provider in providers():
        refresh_topup(topup)


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
            outcome, detail = do_follow(wallet, topup, event)
    if outcome == Outcome.QUARANTINED:
        do_quarantine(provider, event, detail)
    ProviderEvent.objects.create(
        provider=provider, event_id=event.id, kind=event.kind, topup=topup, outcome=outcome, detail=detail[:300]
    )


def _recorded(provider: str, event: Event) -> bool:
    return ProviderEvent.objects.filter(provider=provider, event_id=event.id).exists()


def judge(topup: TopUp, provider: str, event: Event) -> tuple[ProviderEvent.Outcome, str]:
    """What an event means for its locked top-up, and why. Events come in any order: paid is final, failed is not."""
    arrived = topup.status in (Status.PAID, Status.REFUNDED)
    if provider != topup.provider:
        return Outcome.QUARANTINED, f"The top-up belongs to {topup.provider}."
    if event.kind in REVERSALS:
        return _judge_reversal(topup, event, arrived)
    if topup.provider_reference not in ("", event.reference):
        return Outcome.QUARANTINED, f"The top-up's payment is {topup.provider_reference}, not {event.reference}."
    if event.kind == "other":
        return Outcome.IGNORED, "Says nothing about money."
    if arrived:
        return Outcome.IGNORED, "The top-up is paid already."
    if event.kind == "failed":
        return (Outcome.IGNORED, "Failed already.") if topup.status == Status.FAILED else (Outcome.APPLIED, "")
    if (event.amount, event.currency) != (topup.amount, topup.currency):
        return Outcome.QUARANTINED, f"{_money(event)} was paid instead of {topup.amount} {topup.currency}."
    return Outcome.APPLIED, ""


def _judge_reversal(topup: TopUp, event: Event, arrived: bool) -> tuple[ProviderEvent.Outcome, str]:
    if not arrived:
        return Outcome.QUARANTINED, f"A {event.kind} of a top-up that is not paid."
    if event.currency != topup.currency or not 0 < event.amount <= topup.amount:
        paid = f"{topup.amount} {topup.currency}"
        return Outcome.QUARANTINED, f"A {event.kind} of {_money(event)}, but {paid} was paid."
    return Outcome.APPLIED, ""


def _money(event: Event) -> str:
    return f"{event.amount} {event.currency}"


def do_follow(wallet: Wallet, topup: TopUp, event: Event) -> tuple[ProviderEvent.Outcome, str]:
    """Does what an event that is in order says."""
    if event.kind in REVERSALS:
        if refused := do_reverse(wallet, topup, event):
            return refused
    else:
        do_settle(topup, event)
        if event.kind == "paid":
            do_credit_topup(wallet, topup)
    return Outcome.APPLIED, ""


def do_settle(topup: TopUp, event: Event) -> None:
    paid = event.kind == "paid"
    topup.status = Status.PAID if paid else Status.FAILED
    topup.paid_at = timezone.now() if paid else None
    topup.provider_reference = event.reference
    topup.save(update_fields=["status", "paid_at", "provider_reference"])


def do_quarantine(provider: str, event: Event, detail: str) -> None:
    """Tells the admins, once an event: its row is written in the same transaction."""
    log.warning("payment_quarantined", provider=provider, provider_event=event.id, detail=detail)
    do_alert_admins(
        "payment_quarantined",
        "A payment needs your eyes",
        f"{provider} sent an event that does not fit what was ordered. Nothing was credited or taken back.\n\n"
        f"Event: {event.id} ({event.kind})\nTop-up: {event.topup_id or 'none'}\nWhat is wrong: {detail}\n\n"
        "In the admin site, under Payments, Provider events, it says what to do next.",
    )


def do_note_handled(event: ProviderEvent, by: User) -> None:
    """An admin has dealt with an event in quarantine."""
    with transaction.atomic():
        if ProviderEvent.objects.filter(pk=event.pk, handled_at__isnull=True).update(handled_at=timezone.now()):
            record(Kind.PAYMENT_HANDLED, actor=by, subject=event)
