"""Reads about wallets and orders."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet

from accounts.models import User
from wallet.ledger import wallet_id
from wallet.models import Order, OrderLine, Posting, Wallet

WITH_LINES = Prefetch("lines", OrderLine.objects.select_related("course", "enrolment").order_by("pk"))


def wallet_of(user: User) -> Wallet:
    """The person's wallet; an empty one, not stored, where they have none yet."""
    return Wallet.objects.filter(pk=wallet_id(user.pk)).first() or Wallet(user=user)


def movements_of(user: User) -> QuerySet[Posting]:
    """The postings of a person's wallet, newest first."""
    return Posting.objects.filter(wallet=wallet_id(user.pk)).order_by("-wallet_seq")


def orders_of(user: User) -> QuerySet[Order]:
    """A person's orders with their lines, newest first."""
    return Order.objects.filter(user=user).order_by("-created_at", "-pk").prefetch_related(WITH_LINES)
