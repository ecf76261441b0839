"""Promotional credit: lots, each with the day until which it may be spent.

Lots are part of a wallet's balance. Whatever leaves the wallet comes out of them first, the lot that ends earliest before
the others, and out of paid credit last. A lot that is over is posted to the account of expired credit, by a job or, if
somebody spends before the job ran, right then: it is never spent.

A refund puts back into each lot what the line had from it (LotEntry says how much), to be spent for another REFUND_GRACE
at least: into the lot itself, or, if that ends sooner or is over, into a new one. So a refund neither turns a gift with an
end into credit without one, nor gives back what can't be used any more through no fault of the learner's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, Unpack

from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from wallet.accounts import EXPIRED
from wallet.ledger import Reason, do_post
from wallet.models import Lot, LotEntry, OrderLine, Posting, Wallet

REFUND_GRACE = timedelta(days=14)


class Share(NamedTuple):
    """Credits that go into a lot, or (negative) come out of it; for an order's line, where it is for one."""

    lot: Lot
    change: int
    line: OrderLine | None = None


def filled(wallet: Wallet) -> list[Lot]:
    """The lots of a locked wallet that hold credit, the one that ends earliest first. No query where there are none."""
    if not wallet.promotional:
        return []
    return list(Lot.objects.filter(wallet=wallet, remaining__gt=0).order_by("expires_at", "pk"))


def draw(lots: Iterable[Lot], parts: Sequence[tuple[OrderLine | None, int]]) -> list[Share]:
    """How the lots, in their order, pay for these parts, in theirs; what they don't cover is paid credit's."""
    shares = []
    left = {lot: lot.remaining for lot in lots}
    for line, due in parts:
        for lot, held in left.items():
            if taken := min(due, held):
                shares.append(Share(lot, -taken, line))
                left[lot], due = held - taken, due - taken
    return shares


def given_back(line: OrderLine, now: datetime) -> list[Share]:
    """What a refund of this line puts into lots: those that it was paid from, or new ones, not saved yet."""
    paid = (
        LotEntry.objects.filter(order_line=line, change__lt=0)
        .select_related("lot__wallet")
        .order_by("lot__expires_at", "pk")
    )
    return [Share(_lot_for_return(entry.lot, -entry.change, now), -entry.change, line) for entry in paid]


def _lot_for_return(lot: Lot, credits: int, now: datetime) -> Lot:
    until = now + REFUND_GRACE
    return lot if lot.expires_at >= until else new_lot(lot.wallet, credits, until)


def new_lot(wallet: Wallet, credits: int, expires_at: datetime) -> Lot:
    """An empty lot for so many credits, not saved yet."""
    return Lot(wallet=wallet, amount=credits, remaining=0, expires_at=expires_at)


def do_enter(posting: Posting, shares: Iterable[Share]) -> None:
    """Writes what a posting put into lots and took out of them. Whoever posted moved the wallet's `promotional` alike."""
    entries = []
    for _, of_lot in groupby(sorted(shares, key=attrgetter("lot.pk")), key=attrgetter("lot.pk")):
        changes = list(of_lot)
        lot = changes[0].lot
        lot.remaining += sum(share.change for share in changes)
        lot.save(force_insert=lot._state.adding, update_fields=None if lot._state.adding else ["remaining"])
        entries += [LotEntry(lot=lot, posting=posting, order_line=share.line, change=share.change) for share in changes]
    if entries:
        LotEntry.objects.bulk_create(entries)


def do_spend(
    wallet: Wallet,
    parts: Sequence[tuple[OrderLine | None, int]],
    other: str,
    kind: Posting.Kind,
    caused_by: User | None,
    **reason: Unpack[Reason],
) -> Posting:
    """Moves these parts together out of a locked wallet, rid of what is over (do_expire), lots first, by one posting."""
    shares = draw(filled(wallet), parts)
    total = sum(due for _, due in parts)
    taken = sum(share.change for share in shares)
    posting = do_post(wallet, -total, other, kind, caused_by, promotional=taken, **reason)
    do_enter(posting, shares)
    return posting


def do_take(
    wallet: Wallet, credits: int, other: str, kind: Posting.Kind, caused_by: User | None, **reason: Unpack[Reason]
) -> Posting:
    """Takes credits back that money had bought: paid credit first, lots only for what that does not cover."""
    paid = min(credits, wallet.balance - wallet.promotional)
    shares = draw(filled(wallet), [(None, credits - paid)])
    taken = sum(share.change for share in shares)
    posting = do_post(wallet, -credits, other, kind, caused_by, promotional=taken, **reason)
    do_enter(posting, shares)
    return posting


def do_return(
    wallet: Wallet,
    takings: QuerySet[Posting],
    credits: int,
    other: str,
    kind: Posting.Kind,
    caused_by: User | None,
    **reason: Unpack[Reason],
) -> Posting:
    """Undoes what `do_take` did: what came out of lots goes into lots again, the rest of the credits is paid credit."""
    now = timezone.now()
    out = LotEntry.objects.filter(posting__in=takings, change__lt=0).select_related("lot__wallet").order_by("lot_id")
    shares = []
    for lot, entries in groupby(out, key=attrgetter("lot")):  # which several of them may have drawn from
        taken = -sum(entry.change for entry in entries)
        shares.append(Share(_lot_for_return(lot, taken, now), taken))
    promotional = sum(share.change for share in shares)
    posting = do_post(wallet, credits, other, kind, caused_by, promotional=promotional, **reason)
    do_enter(posting, shares)
    return posting


def do_expire(wallet: Wallet) -> None:
    """Takes what is over out of a locked wallet: one posting for each lot. Do so before anything is spent."""
    now = timezone.now()
    for lot in filled(wallet):
        if lot.expires_at <= now:
            note = f"Promotional credit of {lot.created_at:%Y-%m-%d}"
            over = lot.remaining
            posting = do_post(wallet, -over, EXPIRED, Posting.Kind.EXPIRY, None, promotional=-over, note=note)
            do_enter(posting, [Share(lot, -over)])
