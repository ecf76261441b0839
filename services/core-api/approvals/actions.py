"""Deciding: the second person's word, and what follows from it, in one transaction."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.utils import timezone

from accounts.models import User
from approvals.errors import Decided, NotYours, PromotionOver
from approvals.models import Approval
from audit.actions import record
from audit.kinds import Kind as Audited
from config.problems import Forbidden, NotFound
from learning.errors import EnrolmentOver
from learning.grants import do_extend
from mail.actions import do_queue
from payments.models import Reversal
from payments.refunds import carry_out_now, do_begin_refund
from wallet.actions import do_adjust, do_grant_promotion, do_refund
from wallet.locking import money_transaction

Kind, State = Approval.Kind, Approval.State


def approve(approval_id: uuid.UUID, by: User, note: str = "") -> Approval:
    """Does what was proposed. Approved before: the same answer again. Whatever refuses it leaves the proposal pending.

    Raises NotFound, NotYours, Forbidden, Decided, and what the deed itself raises.
    """
    with money_transaction():
        approval = _lock(approval_id)
        if approval.state == State.APPROVED:
            return approval
        check_decidable(approval, by)
        refund = _do_it(approval, by)
        _do_decide(approval, by, State.APPROVED, note)
    if refund:
        carry_out_now(refund)
    return approval


def reject(approval_id: uuid.UUID, by: User, note: str = "") -> Approval:
    """Nothing moves. Rejected before: the same answer again. Raises NotFound, NotYours, Forbidden, Decided."""
    with money_transaction():
        approval = _lock(approval_id)
        if approval.state == State.REJECTED:
            return approval
        check_decidable(approval, by)
        _do_decide(approval, by, State.REJECTED, note)
    return approval


def _lock(approval_id: uuid.UUID) -> Approval:
    """Before the wallet's row: proposals are made, but never locked, by those who hold a wallet."""
    locked = Approval.objects.select_for_update(of=("self",), no_key=True).select_related("person", "proposed_by")
    approval = locked.filter(pk=approval_id).first()
    if approval is None:
        raise NotFound
    return approval


def check_decidable(approval: Approval, by: User) -> None:
    if by.pk in (approval.proposed_by_id, approval.person_id):
        raise NotYours
    if approval.kind in (Kind.ADJUSTMENT, Kind.PROMOTION) and not by.has_perm("wallet.adjust"):
        raise Forbidden
    if approval.state != State.PENDING:
        raise Decided


def _do_it(approval: Approval, by: User) -> Reversal | None:
    """What was proposed, done by the one who approves; a top-up's refund is begun, and given to be carried out."""
    reason = approval.reason
    match approval.kind:
        case Kind.REFUND if approval.order_id:
            lines = [uuid.UUID(line) for line in approval.lines] if approval.lines is not None else None
            do_refund(approval.order_id, by, reason, lines)
        case Kind.ADJUSTMENT if approval.amount:
            do_adjust(approval.person, approval.amount, by, reason)
        case Kind.PROMOTION if approval.amount and approval.expires_at:
            if approval.expires_at <= timezone.now():
                raise PromotionOver
            do_grant_promotion(approval.person, approval.amount, approval.expires_at, by, reason)
        case Kind.TOPUP_REFUND if approval.topup_id:
            return do_begin_refund(approval.topup_id, by, reason)
        case Kind.EXTENSION:
            _do_extend(approval, by)
    return None


def _do_extend(approval: Approval, by: User) -> None:
    enrolment, days = approval.enrolment, timedelta(days=approval.days or 0)
    if enrolment is None or enrolment.ended_at is not None:
        raise EnrolmentOver
    if enrolment.valid_until is not None:  # else it has no end that could be put off
        do_extend(enrolment.pk, by, approval.reason, max(enrolment.valid_until, timezone.now()) + days)


def _do_decide(approval: Approval, by: User, state: Approval.State, note: str) -> None:
    approval.state, approval.decided_by, approval.decided_at, approval.note = state, by, timezone.now(), note
    approval.save(update_fields=["state", "decided_by", "decided_at", "note"])
    kind = Audited.APPROVAL_GIVEN if state == State.APPROVED else Audited.APPROVAL_REFUSED
    record(kind, actor=by, subject=approval.person, approval=str(approval.pk), what=approval.kind, note=note)
    if approval.proposed_by.is_active:
        do_queue("approval_decided", approval.proposed_by, f"Your proposal was {state}", _letter(approval))


def _letter(approval: Approval) -> str:
    said = f"\n\n{approval.note}" if approval.note else ""
    return f"{approval.decided_by} has {approval.state} your proposal ({approval.kind}): {approval.reason}{said}\n"
