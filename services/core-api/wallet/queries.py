"""Reads about wallets and orders."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from accounts.models import User
from payments.reversals import debt_of
from privacy.sections import Section, rows
from wallet.ledger import wallet_id
from wallet.models import Lot, Order, OrderLine, Posting, Redemption, Wallet

WITH_LINES = Prefetch("lines", OrderLine.objects.select_related("course", "enrolment").order_by("pk"))


def wallet_of(user: User) -> Wallet:
    """The person's wallet; an empty one, not stored, where they have none yet."""
    return Wallet.objects.filter(pk=wallet_id(user.pk)).first() or Wallet(user=user)


def spendable(wallet: Wallet) -> int:
    """The balance without promotional credit that is over, but was not posted away yet."""
    over = wallet.lots.filter(remaining__gt=0, expires_at__lte=timezone.now()) if wallet.promotional else ()
    return wallet.balance - sum(lot.remaining for lot in over)


def promotional(wallet: Wallet) -> list[Lot]:
    """The lots that hold credit that may still be spent, the one that ends earliest first."""
    if not wallet.promotional:
        return []
    return list(wallet.lots.filter(remaining__gt=0, expires_at__gt=timezone.now()).order_by("expires_at", "pk"))


def owed(wallet: Wallet) -> int:
    """Credits that its owner owes. One that is not frozen owes nothing (books.reconcile sees to it), and costs no query."""
    return debt_of(wallet.user_id) if wallet.frozen else 0


def movements_of(user: User) -> QuerySet[Posting]:
    """The postings of a person's wallet, newest first."""
    return Posting.objects.filter(wallet=wallet_id(user.pk)).order_by("-wallet_seq")


def orders_of(user: User) -> QuerySet[Order]:
    """A person's orders with their lines, newest first."""
    return Order.objects.filter(user=user).order_by("-created_at", "-pk").prefetch_related(WITH_LINES)


def held_about(user: User) -> list[Section]:
    """For the person's export."""
    mine = wallet_id(user.pk)
    orders = Order.objects.filter(user=user).order_by("created_at", "pk")
    lines = OrderLine.objects.filter(order__user=user).order_by("order__created_at", "pk")
    postings = Posting.objects.filter(wallet=mine).order_by("wallet_seq")
    lots = Lot.objects.filter(wallet=mine).order_by("created_at")
    coupons = Redemption.objects.filter(order__user=user).order_by("order_id")
    moved = rows(
        postings,
        *(
            "id",
            "wallet_seq",
            "kind",
            "amount",
            "balance_after",
            "order_id",
            "order_line_id",
            "topup_id",
            "note",
            "created_at",
        ),
        from_account="debit__kind",
        to_account="credit__kind",
    )
    sold = rows(
        lines, "id", "order_id", "title", "list_price", "discount", "price", "refunded_at", course="course__slug"
    )
    return [
        Section(
            "wallet",
            "Your credit.",
            rows(Wallet.objects.filter(pk=mine), "balance", "promotional", "frozen"),
            ("wallet.Wallet",),
        ),
        Section("postings", "Every movement of your credit, oldest first.", moved, ("wallet.Posting",)),
        Section("orders", "What you bought.", rows(orders, "id", "price", "coupon", "created_at"), ("wallet.Order",)),
        Section("order_lines", "The courses of each order.", sold, ("wallet.OrderLine",)),
        Section(
            "promotional_credit",
            "Credit that was given to you for a time.",
            rows(lots, "amount", "remaining", "created_at", "expires_at"),
            ("wallet.Lot",),
        ),
        Section(
            "coupons",
            "Coupons that you used.",
            rows(coupons, "order_id", "returned_at", code="coupon__code"),
            ("wallet.Redemption",),
        ),
    ]
