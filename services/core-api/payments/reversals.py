"""Credits that leave a wallet because their money goes back, and debts where the wallet holds too little.

Everything here runs inside `money_transaction()`, under the wallet's lock. A debt is credit that a person used up though
its money went back: it is owed by the account `debt`, freezes the wallet, and is paid from whatever arrives next.
"""

from __future__ import annotations

import uuid

from django.db.models import Sum
from django.utils import timezone

from accounts.models import User
from audit.actions import record
from audit.kinds import Kind as AuditKind
from payments.letters import do_tell_begun, do_tell_closed
from payments.models import ProviderEvent, Reversal, TopUp
from payments.providers.base import Event
from wallet import lots
from wallet.accounts import DEBT, clearing
from wallet.ledger import Reason, do_post_between
from wallet.models import Posting, Wallet

Kind = Reversal.Kind
Stage = Reversal.Stage
Outcome = ProviderEvent.Outcome
RANK = {Stage.PENDING: 0, Stage.DONE: 1, Stage.UNDONE: 2}
TAKEN_AS = {Kind.REFUND: Posting.Kind.TOPUP_REFUND, Kind.DISPUTE: Posting.Kind.CLAWBACK}


def do_reverse(wallet: Wallet, topup: TopUp, event: Event) -> tuple[ProviderEvent.Outcome, str] | None:
    """Does what a provider says about a refund or a dispute of a locked, paid top-up; says why if it does not."""
    reversal = _find(topup, event)
    if reversal is None:
        kind = Kind(event.kind)
        stays = (
            event.stage == Stage.UNDONE
        )  # it ended before we heard of it: remembered, so that its beginning does nothing
        reversal = do_begin(wallet, topup, kind, event.amount, reference=event.reference, takes_nothing=stays)
        if event.stage == Stage.PENDING:
            return None
    elif reversal.amount != event.amount:
        told = f"A {event.kind} of {event.amount} {event.currency}"
        return Outcome.QUARANTINED, f"{told}, but {reversal.amount} was asked for."
    elif RANK[event.stage] <= RANK[Stage(reversal.stage)]:
        _do_note_reference(reversal, event.reference)
        return Outcome.IGNORED, "Known already."
    do_close(wallet, reversal, event.stage, event.reference)
    return None


def _find(topup: TopUp, event: Event) -> Reversal | None:
    mine = topup.reversals.select_for_update().filter(kind=event.kind)
    if event.reversal_id and (ours := mine.filter(pk=event.reversal_id).first()):
        return ours
    return mine.filter(reference=event.reference).first()


def do_begin(
    wallet: Wallet,
    topup: TopUp,
    kind: Reversal.Kind,
    amount: int,
    *,
    reference: str = "",
    by: User | None = None,
    reason: str = "",
    takes_nothing: bool = False,
) -> Reversal:
    """Takes back the credits that `amount` of a paid top-up bought, to the last one; what is not there is owed."""
    credits = 0 if takes_nothing else credits_of(topup, amount)
    about = {"reference": reference, "requested_by": by, "reason": reason}
    reversal = Reversal.objects.create(topup=topup, kind=kind, amount=amount, credits=credits, **about)
    _do_take(wallet, reversal, credits)
    audited = AuditKind.TOPUP_REFUND if kind == Kind.REFUND else AuditKind.CLAWBACK
    moved = {"topup": str(topup.pk), "amount": amount, "credits": credits, "owed": reversal.owed}
    record(audited, actor=by, subject=topup.user, **moved, reason=reason)
    if not takes_nothing:
        do_tell_begun(reversal)
    return reversal


def credits_of(topup: TopUp, amount: int) -> int:
    """The credits that go back with this much more of a top-up's money: parts never add up to more than it brought."""
    gone = topup.reversals.exclude(stage=Stage.UNDONE).aggregate(amount=Sum("amount"), credits=Sum("credits"))
    amount_gone = min(topup.amount, (gone["amount"] or 0) + amount)
    return max(0, topup.credits * amount_gone // topup.amount - (gone["credits"] or 0))


def _do_take(wallet: Wallet, reversal: Reversal, credits: int) -> None:
    topup, kind = reversal.topup, TAKEN_AS[Kind(reversal.kind)]
    reason = Reason(topup=topup, note=f"{reversal.get_kind_display()} of a top-up")
    source, by = clearing(topup.provider), reversal.requested_by
    lots.do_expire(wallet)
    taken = min(wallet.balance, credits)
    owed = credits - taken
    if taken:
        reversal.postings.add(lots.do_take(wallet, taken, source, kind, by, **reason))
    if owed:
        do_post_between(DEBT, source, owed, kind, by, **reason)
        reversal.owed += owed
        reversal.froze_wallet = reversal.froze_wallet or not wallet.frozen
        _do_set_frozen(wallet, True)
    reversal.save(update_fields=["credits", "owed", "froze_wallet"])


def do_close(wallet: Wallet, reversal: Reversal, stage: Reversal.Stage, reference: str = "") -> None:
    """The money is gone for good, or stays after all: then the credits are given back."""
    if stage == Stage.UNDONE:
        _do_give_back(wallet, reversal)
    reversal.stage, reversal.closed_at = stage, timezone.now()
    reversal.save(update_fields=["stage", "closed_at"])
    _do_note_reference(reversal, reference)
    topup = reversal.topup
    if stage == Stage.UNDONE:
        _do_take_what_others_left(wallet, topup)
    gone = topup.reversals.filter(stage=Stage.DONE).aggregate(total=Sum("amount"))["total"] or 0
    topup.status = TopUp.Status.REFUNDED if gone >= topup.amount else TopUp.Status.PAID
    topup.save(update_fields=["status"])
    do_tell_closed(reversal)


def _do_note_reference(reversal: Reversal, reference: str) -> None:
    if reference and not reversal.reference:
        reversal.reference = reference
        reversal.save(update_fields=["reference"])


def _do_give_back(wallet: Wallet, reversal: Reversal) -> None:
    """What is still owed is forgiven; what was taken or paid since returns, to promotional lots what came out of them."""
    topup, kind = reversal.topup, Posting.Kind.REINSTATED
    reason = Reason(topup=topup, note=f"{reversal.get_kind_display()} undone")
    source, owed = clearing(topup.provider), reversal.owed
    if owed:
        do_post_between(source, DEBT, owed, kind, None, **reason)
        reversal.owed = 0
        reversal.save(update_fields=["owed"])
    if returned := reversal.credits - owed:
        lots.do_return(wallet, reversal.postings.all(), returned, source, kind, None, **reason)
    do_pay_debts(wallet)


def _do_take_what_others_left(wallet: Wallet, topup: TopUp) -> None:
    """A dispute of what was being refunded took nothing. If that refund then fails, the credits go with the dispute."""
    running = topup.reversals.exclude(stage=Stage.UNDONE).order_by("created_at", "pk").last()
    if running and (left := credits_of(topup, 0)):
        running.credits += left
        _do_take(wallet, running, left)


def do_pay_debts(wallet: Wallet) -> None:
    """Pays what the wallet's owner owes, oldest first, as far as the balance goes; thaws the wallet when nothing is left.

    Call it wherever credit may have reached a locked wallet. One that is not frozen owes nothing.
    """
    if not wallet.frozen:
        return
    lots.do_expire(wallet)
    owing = Reversal.objects.select_related("topup").filter(topup__user=wallet.user_id, owed__gt=0)
    for reversal in owing.order_by("created_at", "pk"):
        if paid := min(wallet.balance, reversal.owed):
            reason = Reason(topup=reversal.topup, note="Debt paid")
            reversal.postings.add(lots.do_take(wallet, paid, DEBT, Posting.Kind.DEBT_PAID, None, **reason))
            reversal.owed -= paid
            reversal.save(update_fields=["owed"])
    froze = Reversal.objects.filter(topup__user=wallet.user_id, froze_wallet=True)
    if not owing.exists() and froze.update(froze_wallet=False):
        _do_set_frozen(wallet, False)


def _do_set_frozen(wallet: Wallet, frozen: bool) -> None:
    Wallet.objects.filter(pk=wallet.pk).update(frozen=frozen)
    wallet.frozen = frozen


def debt_of(user_id: uuid.UUID) -> int:
    """Credits that a person owes."""
    return Reversal.objects.filter(topup__user=user_id).aggregate(owed=Sum("owed"))["owed"] or 0
