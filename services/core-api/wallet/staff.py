"""Credit that staff give, take and give back on a page of the admin site."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django import forms
from django.db.models import Model

from accounts.models import User
from approvals.models import Approval
from approvals.proposals import do_adjust_or_propose, do_refund_or_propose
from config.confirmation import ReasonForm
from config.problems import Conflict
from wallet.errors import KeyReused
from wallet.idempotency import Answer, form_key, once
from wallet.models import Order, OrderLine
from wallet.serializers import MAX_CREDITS

WHAT_ADJUSTING_DOES = (
    "The wallet changes by this many credits at once; above the limit, once somebody else has approved it. "
    "A posting cannot be taken back: only another can."
)
WHAT_REFUNDING_DOES = (
    "The buyer gets the price back, what was promotional as such, and loses what they bought, within a second; above the limit, "
    "once somebody else has approved it. It cannot be taken back. What was refunded before stays as it is."
)


class AdjustForm(ReasonForm):
    amount = forms.IntegerField(
        min_value=-MAX_CREDITS, max_value=MAX_CREDITS, help_text="Credits to give; with a minus, to take away."
    )
    field_order = ["amount", "reason"]

    def clean_amount(self) -> int:
        amount: int = self.cleaned_data["amount"]
        if amount == 0:
            raise forms.ValidationError("Zero credits are no adjustment.")
        return amount


def adjust_once(user: User, by: User, amount: int, reason: str, page: uuid.UUID) -> str:
    """Adjusts a person's wallet once for each page that was shown, however often it is sent; says what came of it.

    Raises InsufficientCredit, Busy, and Conflict where the page was used for something else.
    """
    return _once(
        by, "admin.adjust", page, user, lambda: _adjust(user, amount, by, reason), amount=amount, reason=reason
    )


def refund_once(order: Order, line: OrderLine | None, by: User, reason: str, page: uuid.UUID) -> str:
    """Refunds an order, or one line of it, once for each page that was shown, however often it is sent; says what came of it.

    Raises AnotherPending, Busy, and Conflict where the page was used for something else.
    """
    return _once(by, "admin.refund_order", page, line or order, lambda: _refund(order, line, by, reason), reason=reason)


def _once(by: User, route: str, page: uuid.UUID, row: Model, act: Callable[[], Answer], **given: object) -> str:
    try:
        answer = once(form_key(by, route, f"{page}/{row.pk}", **given), act)
    except KeyReused:
        raise Conflict("This page was used already. Open a new one to do something else.") from None
    return str(answer.body["outcome"])


def _adjust(user: User, amount: int, by: User, reason: str) -> Answer:
    done = do_adjust_or_propose(user, amount, by, reason)
    if isinstance(done, Approval):
        return _waiting(done)
    return Answer(200, {"outcome": f"The wallet of {user} holds {done.balance} credits."})


def _refund(order: Order, line: OrderLine | None, by: User, reason: str) -> Answer:
    done = do_refund_or_propose(order.pk, by, reason, [line.pk] if line else None)
    if isinstance(done, Approval):
        return _waiting(done)
    return Answer(200, {"outcome": f"{line or f'The {order}'} is refunded."})


def _waiting(approval: Approval) -> Answer:
    return Answer(202, {"outcome": f"That is above the limit: {approval} waits for somebody else's approval."})
