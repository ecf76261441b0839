"""The trial balance: what every account gave and received. Every posting does both, so the two columns have one sum."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Literal, NamedTuple

from django.db.models import Case, F, QuerySet, Sum, Value, When

from wallet.models import Account, Posting

WALLETS = "wallets (all people)"
Side = Literal["debit", "credit"]


class Line(NamedTuple):
    account: str
    debit: int  # credits that left the account
    credit: int  # credits that reached it

    @property
    def balance(self) -> int:
        return self.credit - self.debit


def trial_balance(before: datetime | None = None) -> list[Line]:
    """A line for each system account, one for all wallets together, and the sum: over all postings (made before `before`).

    Reads every posting once for each side; run it in one snapshot.
    """
    postings = Posting.objects.all() if before is None else Posting.objects.filter(created_at__lt=before)
    sums: dict[str, dict[Side, int]] = defaultdict(lambda: {"debit": 0, "credit": 0})
    sides: tuple[Side, Side] = ("debit", "credit")
    for side in sides:
        for account, total in _totals(postings, side):
            sums[account][side] = total
    lines = [Line(account, **both) for account, both in sorted(sums.items())]
    return [*lines, Line("sum", sum(line.debit for line in lines), sum(line.credit for line in lines))]


def _totals(postings: QuerySet[Posting], side: Side) -> QuerySet[Posting, tuple[str, int]]:
    is_wallet = When(**{f"{side}__kind": Account.Kind.WALLET}, then=Value(WALLETS))
    labelled = postings.annotate(account=Case(is_wallet, default=F(f"{side}__code")))
    return labelled.order_by().values_list("account").annotate(total=Sum("amount"))
