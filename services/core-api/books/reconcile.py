"""Proves the books: recomputes every balance and hash, and matches orders and top-ups with their postings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import BigIntegerField, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from books import chains
from payments.models import ProviderEvent, Reversal, TopUp
from wallet.accounts import DEBT, account_id
from wallet.models import Account, Coupon, Lot, LotEntry, Order, OrderLine, Posting, Redemption, Wallet

CHUNK = 5_000  # rows held in memory at once
OF_REVERSALS = ["topup_refund", "clawback", "reinstated", "debt_paid"]


def differences(progress: Callable[[int], None] = lambda checked: None) -> Iterator[str]:
    """Each difference as a sentence; none: the books are right. `progress` hears how many postings were checked.

    Run it in one snapshot (REPEATABLE READ), or purchases in between look like differences.
    """
    yield from chains.differences(progress)
    for sentence, rows_with_it in _mismatches():
        for row in rows_with_it.values_list("pk", flat=True).iterator(chunk_size=CHUNK):
            yield sentence.format(row)


def _mismatches() -> Iterator[tuple[str, QuerySet[Any]]]:
    """What should be empty, with the sentence for a row that is there."""
    postings = Posting.objects.all()
    of_order, of_topup = postings.filter(order=OuterRef("pk")), postings.filter(topup=OuterRef("pk"))
    wallet_account = Account.Kind.WALLET
    yield (
        "Wallet {}: it holds credit, but has no posting.",
        Wallet.objects.filter(~Q(balance=0, head_seq=0), ~Exists(postings.filter(wallet=OuterRef("pk")))),
    )
    yield (
        "Posting {}: it moves a wallet's credit outside of that wallet's chain.",
        postings.filter(wallet__isnull=True).filter(Q(debit__kind=wallet_account) | Q(credit__kind=wallet_account)),
    )
    yield (
        "Order {}: its price is not the sum of its lines.",
        Order.objects.annotate(total=Coalesce(Sum("lines__price"), 0), count=Count("lines")).filter(
            ~Q(total=F("price")) | Q(count=0)
        ),
    )
    paid = of_order.filter(kind="purchase", amount=OuterRef("price"), wallet__user=OuterRef("user"))
    yield (
        "Order {}: no posting of its price from its buyer's wallet.",
        Order.objects.filter(~Exists(paid), price__gt=0),
    )
    yield (
        "Order {}: it was free, but a posting paid for it.",
        Order.objects.filter(Exists(of_order.filter(kind="purchase")), price=0),
    )
    yield from _line_mismatches(postings)
    yield from _lot_mismatches(postings)
    yield from _coupon_mismatches()
    credited = of_topup.filter(kind="topup", amount=OuterRef("credits"), wallet__user=OuterRef("user"))
    arrived = Q(status__in=[TopUp.Status.PAID, TopUp.Status.REFUNDED])
    yield "Top-up {}: it is paid, but its credit did not arrive.", TopUp.objects.filter(arrived, ~Exists(credited))
    yield "Top-up {}: it is not paid, but credit arrived.", TopUp.objects.filter(~arrived, Exists(of_topup))
    said = ProviderEvent.objects.filter(
        topup=OuterRef("pk"), provider=OuterRef("provider"), kind="paid", outcome="applied"
    )
    yield "Top-up {}: it is paid, but its provider never said so.", TopUp.objects.filter(arrived, ~Exists(said))
    yield "Top-up {}: its provider said that it is paid, but it is not.", TopUp.objects.filter(~arrived, Exists(said))
    yield from _reversal_mismatches(postings)


def _line_mismatches(postings: QuerySet[Posting]) -> Iterator[tuple[str, QuerySet[Any]]]:
    refund = postings.filter(kind="refund", order_line=OuterRef("pk"))
    exact = refund.filter(amount=OuterRef("price"), order=OuterRef("order"), wallet__user=OuterRef("order__user"))
    refunded = Q(refunded_at__isnull=False)
    yield (
        "Order line {}: it is refunded, but no posting gave its price back.",
        OrderLine.objects.filter(refunded, ~Exists(exact), price__gt=0),
    )
    yield (
        "Order line {}: a posting gave its price back, but it is not refunded.",
        OrderLine.objects.filter(~refunded, Exists(refund)),
    )
    yield "Order line {}: it has no enrolment.", OrderLine.objects.filter(enrolment__isnull=True)
    yield (
        "Order line {}: it is refunded, but its enrolment still runs.",
        OrderLine.objects.filter(refunded, enrolment__isnull=False, enrolment__ended_at__isnull=True),
    )


def _lot_mismatches(postings: QuerySet[Posting]) -> Iterator[tuple[str, QuerySet[Any]]]:
    """PostgreSQL itself refuses the first two at each commit: these find what a superuser, or SQLite, let through."""
    yield (
        "Wallet {}: its promotional credit is not the sum of its lots.",
        Wallet.objects.annotate(total=Coalesce(Sum("lots__remaining"), 0)).exclude(total=F("promotional")),
    )
    yield (
        "Lot {}: what remains of it is not the sum of its entries.",
        Lot.objects.annotate(total=Coalesce(Sum("entries__change"), 0)).exclude(total=F("remaining")),
    )
    yield (
        "Lot entry {}: its posting is another wallet's.",
        LotEntry.objects.exclude(posting__wallet=F("lot__wallet")),
    )
    total = Coalesce(Sum("lot_entries__change"), 0)
    moved = Q(kind="promotion", total=F("amount")) | Q(kind="expiry", total=-F("amount"))
    yield (
        "Posting {}: it moved promotional credit, but lots did not move alike.",
        postings.filter(kind__in=["promotion", "expiry"]).annotate(total=total).exclude(moved),
    )
    yield (
        "Posting {}: more went through lots than it moved.",
        postings.filter(lot_entries__isnull=False)
        .annotate(total=total)
        .filter(Q(total__gt=F("amount")) | Q(total__lt=-F("amount"))),
    )
    yield (
        "Order line {}: it is refunded, but its lots did not get back what they had paid.",
        OrderLine.objects.filter(refunded_at__isnull=False)
        .annotate(total=Coalesce(Sum("lot_entries__change"), 0))
        .exclude(total=0),
    )


def _coupon_mismatches() -> Iterator[tuple[str, QuerySet[Any]]]:
    running = Count("redemptions", Q(redemptions__returned_at__isnull=True))
    yield (
        "Coupon {}: it was not used as often as it says.",
        Coupon.objects.annotate(running=running).exclude(running=F("used")),
    )
    redeemed = Redemption.objects.filter(order=OuterRef("pk"), coupon__code=OuterRef("coupon"))
    yield (
        "Order {}: it names a coupon, but did not redeem it.",
        Order.objects.filter(~Exists(redeemed), coupon__isnull=False),
    )


def _reversal_mismatches(postings: QuerySet[Posting]) -> Iterator[tuple[str, QuerySet[Any]]]:
    """Money of top-ups that went back, in all: what was taken, given back, and is still owed."""
    of_topup = postings.filter(topup=OuterRef("pk"))
    reversals = Reversal.objects.filter(topup=OuterRef("pk"))
    gone = _sum(of_topup.filter(kind__in=["topup_refund", "clawback"])) - _sum(of_topup.filter(kind="reinstated"))
    lent = of_topup.filter(kind__in=["topup_refund", "clawback"], debit=account_id(DEBT))
    paid = of_topup.filter(kind__in=["reinstated", "debt_paid"], credit=account_id(DEBT))
    topups = TopUp.objects.filter(Exists(reversals) | Exists(of_topup.filter(kind__in=OF_REVERSALS)))
    yield (
        "Top-up {}: its postings are not what its refunds and disputes took.",
        topups.exclude(Exact(gone, _sum(reversals.exclude(stage="undone"), "credits"))),
    )
    yield (
        "Top-up {}: its postings are not what is owed for it.",
        topups.exclude(Exact(_sum(lent) - _sum(paid), _sum(reversals, "owed"))),
    )
    yield (
        "Wallet {}: its owner owes credit, but it is not frozen.",
        Wallet.objects.filter(Exists(Reversal.objects.filter(topup__user=OuterRef("user"), owed__gt=0)), frozen=False),
    )


def _sum(rows: QuerySet[Any], column: str = "amount") -> Coalesce:
    """The sum of a column over the rows of one top-up, as a subquery."""
    total = rows.order_by().values("topup").annotate(total=Sum(column)).values("total")
    return Coalesce(Subquery(total, output_field=BigIntegerField()), Value(0))
