"""What is done at once, and what is proposed instead because it is above the limit. Inside `money_transaction()`."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from approvals.errors import AnotherPending
from approvals.limits import needs_approval
from approvals.models import Approval
from audit.actions import record
from audit.kinds import Kind as Audited
from config.problems import Invalid, NotFound
from payments.models import TopUp
from wallet.actions import check_lines, do_adjust, do_grant_promotion, do_refund
from wallet.ledger import lock_wallet
from wallet.models import Lot, Order, Wallet

Kind = Approval.Kind


def do_refund_or_propose(
    order_id: uuid.UUID, by: User, reason: str, line_ids: Sequence[uuid.UUID] | None = None
) -> Order | Approval:
    """The refunded order; above the limit the proposal that waits. Raises as wallet.actions.do_refund, and AnotherPending."""
    order = Order.objects.select_related("user").filter(pk=order_id).first()
    if order is None:
        raise NotFound
    wallet = lock_wallet(order.user)
    due = sum(line.price for line in check_lines(order, line_ids) if line.refunded_at is None)
    if not due or not needs_approval(by, wallet, due):
        return do_refund(order_id, by, reason, line_ids)
    lines = sorted({str(line_id) for line_id in line_ids}) if line_ids is not None else None
    return do_propose(Kind.REFUND, by, order.user, reason, order=order, lines=lines, amount=due)


def do_adjust_or_propose(user: User, amount: int, by: User, reason: str) -> Wallet | Approval:
    """The adjusted wallet; above the limit the proposal that waits. Raises as wallet.actions.do_adjust."""
    if needs_approval(by, lock_wallet(user), amount):
        return do_propose(Kind.ADJUSTMENT, by, user, reason, amount=amount)
    return do_adjust(user, amount, by, reason)


def do_promote_or_propose(user: User, amount: int, expires_at: datetime, by: User, reason: str) -> Lot | Approval:
    """The lot of promotional credit; above the limit the proposal that waits. Raises Invalid where its end does not lie ahead."""
    if expires_at <= timezone.now():
        raise Invalid(errors={"expires_at": ["This should lie ahead."]})
    if needs_approval(by, lock_wallet(user), amount):
        return do_propose(Kind.PROMOTION, by, user, reason, amount=amount, expires_at=expires_at)
    return do_grant_promotion(user, amount, expires_at, by, reason)


def topup_proposal(topup: TopUp, by: User, reason: str) -> Approval | None:
    """The proposal to refund a top-up; None where the limit lets `by` do it themselves."""
    if not needs_approval(by, lock_wallet(topup.user), topup.credits):
        return None
    return do_propose(Kind.TOPUP_REFUND, by, topup.user, reason, topup=topup, amount=-topup.credits)


def do_propose(kind: Approval.Kind, by: User, person: User, reason: str, **what: Any) -> Approval:
    """A proposal, or the pending one of the same content. Raises AnotherPending where one of other content waits."""
    try:
        with transaction.atomic():
            approval = Approval.objects.create(kind=kind, proposed_by=by, person=person, reason=reason, **what)
    except IntegrityError:
        about = {name: what[name] for name in ("order", "topup", "enrolment") if what.get(name)}
        pending = Approval.objects.filter(state=Approval.State.PENDING, kind=kind, **about).first()
        if pending is None or any(getattr(pending, name) != value for name, value in what.items()):
            raise AnotherPending from None
        return pending
    record(Audited.APPROVAL_ASKED, actor=by, subject=person, approval=str(approval.pk), what=kind, reason=reason)
    return approval
