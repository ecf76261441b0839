"""Credit that staff give or take on a page of the admin site."""

from __future__ import annotations

import uuid

from django import forms

from accounts.models import User
from approvals.models import Approval
from approvals.proposals import do_adjust_or_propose
from config.confirmation import ReasonForm
from config.problems import Conflict
from wallet.errors import KeyReused
from wallet.idempotency import Answer, form_key, once
from wallet.serializers import MAX_CREDITS

WHAT_ADJUSTING_DOES = (
    "The wallet changes by this many credits at once; above the limit, once somebody else has approved it. "
    "A posting cannot be taken back: only another can."
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
    key = form_key(by, "admin.adjust", f"{page}/{user.pk}", amount=amount, reason=reason)
    try:
        answer = once(key, lambda: _adjust(user, amount, by, reason))
    except KeyReused:
        raise Conflict("This page was used already. Open a new one for another adjustment.") from None
    return str(answer.body["outcome"])


def _adjust(user: User, amount: int, by: User, reason: str) -> Answer:
    done = do_adjust_or_propose(user, amount, by, reason)
    if isinstance(done, Approval):
        return Answer(202, {"outcome": f"That is above the limit: {done} waits for somebody else's approval."})
    return Answer(200, {"outcome": f"The wallet of {user} holds {done.balance} credits."})
