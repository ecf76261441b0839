"""Reads about wallets and orders."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from accounts.models import User
from wallet.ledger import wallet_id
from wallet.models import Lot, Order, OrderLine, Posting, Wallet

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


def movements_of(user: User) -> QuerySet[Posting]:
    """The postings of a person's wallet, newest first."""
    return Posting.objects.filter(wallet=wallet_id(user.pk)).order_by("-wallet_seq")


def orders_of(user: User) -> QuerySet[Order]:
    """A person's orders with their lines, newest first."""
    return Order.objects.filter(user=user).order_by("-created_at", "-pk").prefetch_related(WITH_LINES)
