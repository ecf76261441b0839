"""Giving the money of a top-up back, for those who may."""

from __future__ import annotations

import uuid
from datetime import timedelta

import structlog
from django.utils import timezone

from accounts.models import User
from approvals.models import Approval
from approvals.proposals import topup_proposal
from approvals.serializers import pending
from config.problems import Forbidden, NotFound
from payments.errors import ProviderRefused, ProviderUnavailable, TopUpDisputed, TopUpNotPaid
from payments.events import apply_event
from payments.models import Reversal, TopUp
from payments.providers import providers
from payments.providers.base import ProviderError
from payments.reversals import do_begin, do_close
from payments.serializers import TopUpSerializer
from wallet.errors import InsufficientCredit
from wallet.idempotency import Answer, RequestKey, do_answer, do_claim, first_answer
from wallet.ledger import lock_wallet
from wallet.locking import money_transaction
from wallet.models import IdempotencyKey, Wallet

log = structlog.get_logger("lectern.payments")
Kind = Reversal.Kind
Stage = Reversal.Stage
PATIENCE = timedelta(minutes=1)  # whoever began a refund asks the provider themselves; after this, a job does


def refund_topup(key: RequestKey, topup_id: uuid.UUID, reason: str) -> Answer:
    """Takes the credits back and commits so with the key, then has the provider give the money back.

    200: it has; 202: it will, since a bank takes its time, or it is above the limit and waits for an approval. A top-up
    that was refunded before stays as it is. Raises NotFound, Forbidden (one's own), TopUpNotPaid, TopUpDisputed,
    InsufficientCredit, KeyReused, Busy, ProviderUnavailable (it is tried again by itself), ProviderRefused (the credits
    are back).
    """
    with money_transaction():
        row = do_claim(key)
        if answer := first_answer(row):
            return answer
        refund = _resumed(row)
        if refund is None and (approval := _proposed(topup_id, key.user, reason)):
            do_answer(row, pending(approval))
            return pending(approval)
        refund = refund or do_begin_refund(topup_id, key.user, reason)
        row.subject = refund.pk if refund else None
        row.save(update_fields=["subject"])
    if refund:
        carry_out_now(refund)
    with money_transaction():
        return _do_record(row, topup_id)


def _proposed(topup_id: uuid.UUID, by: User, reason: str) -> Approval | None:
    """The proposal that waits for another person's approval; None where `by` may refund it without, or not at all."""
    topup = TopUp.objects.select_related("user").filter(pk=topup_id, status=TopUp.Status.PAID).first()
    if (
        topup is None
        or topup.user_id == by.pk
        or topup.reversals.filter(kind=Kind.REFUND, stage=Stage.PENDING).exists()
    ):
        return None
    check_refundable(lock_wallet(topup.user), topup)
    return topup_proposal(topup, by, reason)


def _resumed(row: IdempotencyKey) -> Reversal | None:
    """What an unanswered request with this key began; not a refund that the provider refused meanwhile."""
    begun = Reversal.objects.select_related("topup__user").filter(pk=row.subject) if row.subject else None
    return begun.exclude(stage=Stage.UNDONE).first() if begun else None


def do_begin_refund(topup_id: uuid.UUID, by: User, reason: str) -> Reversal | None:
    """Takes a top-up's credits back, so that nobody spends them while the provider is asked. None: it is refunded already.

    For the API, the admin site and approved proposals alike, inside `money_transaction()`. Then `carry_out()`; whoever
    does not get to it has it done by a job within two minutes. Raises as `refund_topup`.
    """
    topup = TopUp.objects.select_related("user").filter(pk=topup_id).first()
    if topup is None:
        raise NotFound
    if topup.user_id == by.pk:
        raise Forbidden("Somebody else has to refund what you paid yourself.")
    wallet = lock_wallet(topup.user)
    topup = TopUp.objects.select_for_update().get(pk=topup_id)
    if topup.status == TopUp.Status.REFUNDED:
        return None
    if pending := topup.reversals.filter(kind=Kind.REFUND, stage=Stage.PENDING).first():
        return pending
    amount = check_refundable(wallet, topup)
    refund = do_begin(wallet, topup, Kind.REFUND, amount, by=by, reason=reason)
    Reversal.objects.filter(pk=refund.pk).update(next_attempt_at=timezone.now() + PATIENCE)
    return refund


def check_refundable(wallet: Wallet, topup: TopUp) -> int:
    """The amount that a refund of this paid top-up would give back: all that did not go back before."""
    if topup.status != TopUp.Status.PAID:
        raise TopUpNotPaid
    gone = list(topup.reversals.exclude(stage=Stage.UNDONE))
    if any(reversal.kind == Kind.DISPUTE for reversal in gone):
        raise TopUpDisputed
    credits = topup.credits - sum(reversal.credits for reversal in gone)
    paid = wallet.balance - wallet.promotional  # nobody gets money for what was a gift
    if paid < credits:
        raise InsufficientCredit(f"The wallet holds {paid} of the {credits} paid credits that this would take back.")
    return topup.amount - sum(reversal.amount for reversal in gone)


def carry_out_now(refund: Reversal) -> None:
    """`carry_out` for somebody who waits for the answer. Raises ProviderUnavailable, ProviderRefused."""
    try:
        stage = carry_out(refund)
    except ProviderError as error:
        raise ProviderUnavailable from error
    if stage == Stage.UNDONE:
        raise ProviderRefused("The payment provider does not refund this. The credits are back in the wallet.")


def carry_out(refund: Reversal) -> Reversal.Stage:
    """Has the provider refund, or tell how a refund stands; as often as needed. Raises ProviderError, Busy.

    A refusal that is final gives the credits back.
    """
    topup = refund.topup
    provider = providers().get(topup.provider)
    if provider is None:
        raise ProviderError(f"{topup.provider} is not switched on here.", retryable=True)
    try:
        event = provider.refund(refund)
    except ProviderError as error:
        log.warning("provider_call_failed", provider=provider.name, topup=str(topup.pk), error=str(error))
        if error.retryable:
            raise
        _give_up(refund)
    else:
        apply_event(provider.name, event)
    refund.refresh_from_db()
    return Stage(refund.stage)


def _give_up(refund: Reversal) -> None:
    with money_transaction():
        wallet = lock_wallet(refund.topup.user)
        refund = Reversal.objects.select_related("topup").select_for_update(of=["self"]).get(pk=refund.pk)
        if refund.stage == Stage.PENDING:
            do_close(wallet, refund, Stage.UNDONE)


def _do_record(row: IdempotencyKey, topup_id: uuid.UUID) -> Answer:
    row = IdempotencyKey.objects.select_for_update().get(pk=row.pk)
    if answer := first_answer(row):  # a twin, resuming the same refund, was faster
        return answer
    topup = TopUp.objects.get(pk=topup_id)
    answer = Answer(200 if topup.status == TopUp.Status.REFUNDED else 202, TopUpSerializer(topup).data)
    do_answer(row, answer)
    return answer
