"""Every movement of credit. Call these inside `money_transaction()` (or `idempotency.once`, which opens one).

`check_…` refuses, `do_…` writes. Locks are taken in one order, so that no two requests wait for each other in a circle:

1. the request's idempotency key (its insert holds a KEY SHARE lock of the person's row: whoever locks a person FOR UPDATE
   does so before anything else here)
2. the wallet's row: one wallet's movements happen one after another
3. what hangs on the wallet: its lots, a top-up, an order's lines, the person's enrolments
4. a coupon's row, last, since orders of other people want it too

Nothing else is shared: system accounts hold no balance, so no purchase waits for another person's.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.utils import timezone

from accounts.models import User
from audit.actions import record
from audit.kinds import Kind as Audited
from config.compiled import insert, insert_all
from config.problems import Invalid, NotFound
from learning.actions import do_end, do_enrol_lines
from learning.errors import AlreadyEnrolled
from learning.queries import had
from payments.models import TopUp
from payments.reversals import debt_of, do_pay_debts
from wallet import lots
from wallet.accounts import ADJUSTMENT, EXPIRED, PROMOTION, REVENUE, clearing
from wallet.coupons import check_coupon, discounted, do_give_back, do_redeem
from wallet.errors import InsufficientCredit, WalletFrozen
from wallet.ledger import Reason, do_post, lock_wallet, lock_wallet_by_id
from wallet.models import Coupon, Lot, Order, OrderLine, Posting, Wallet
from wallet.offers import Offer, offer_of_bundle, offer_of_course

Kind = Posting.Kind


class Purchase(NamedTuple):
    order: Order
    lines: list[OrderLine]
    balance: int  # what the wallet holds afterwards


def do_purchase(
    buyer: User,
    *,
    course: str | None = None,
    bundle: str | None = None,
    coupon: str | None = None,
    expected_price: int | None = None,
) -> Purchase:
    """A course, or what the buyer lacks of a bundle (slugs): order with its lines, credit moved, enrolments, coupon used.

    What costs nothing moves no credit. `expected_price` is the catalogue's, without coupon. Raises NotFound (nothing
    like that on sale), PriceChanged, AccessOver, AlreadyEnrolled, Coupon…, WalletFrozen, InsufficientCredit, Busy.
    """
    wallet = _lock_to_spend(buyer)
    offer = offer_of_bundle(bundle, expected_price) if bundle else offer_of_course(course or "", expected_price)
    having = had(buyer, [part.course.pk for part in offer.parts])
    offer = offer.without(having.courses)
    if not offer.parts:
        raise AlreadyEnrolled
    redeemed = check_coupon(coupon) if coupon else None
    if redeemed:
        offer = discounted(offer, redeemed)
    check_can_pay(wallet, offer.price)
    do_end(having.over, "expired")
    order, lines = _do_order(wallet, buyer, offer, redeemed)
    if redeemed:
        do_redeem(redeemed, buyer, order)
    return Purchase(order, lines, wallet.balance)


def _lock_to_spend(user: User) -> Wallet:
    """The person's locked wallet, rid of promotional credit that is over."""
    wallet = lock_wallet(user)
    lots.do_expire(wallet)
    return wallet


def check_can_pay(wallet: Wallet, price: int) -> None:
    if not price:
        return
    if wallet.frozen:
        raise WalletFrozen.owing(debt_of(wallet.user_id))
    if wallet.balance < price:
        raise InsufficientCredit.missing(price, wallet.balance)


def _do_order(wallet: Wallet, buyer: User, offer: Offer, coupon: Coupon | None) -> tuple[Order, list[OrderLine]]:
    order = Order(user=buyer, price=offer.price, coupon=coupon.code if coupon else None)
    insert(order)
    lines = [
        OrderLine(
            order=order,
            course=part.course,
            title=part.course.title,
            list_price=part.list_price,
            discount=part.discount,
            price=part.price,
        )
        for part in offer.parts
    ]
    insert_all(lines)
    do_enrol_lines(buyer, lines, offer.source, offer.valid_until)
    if order.price:
        parts = [(line, line.price) for line in lines]
        lots.do_spend(wallet, parts, REVENUE, Kind.PURCHASE, buyer, order=order, note=offer.title)
    return order, lines


def do_refund(order_id: uuid.UUID, by: User, reason: str, line_ids: Sequence[uuid.UUID] | None = None) -> Order:
    """Gives back the price of an order's lines (all by default) and ends just their enrolments.

    What was paid with promotional credit comes back as such (wallet.lots); the last line gives the coupon back. A line
    that was refunded before stays as it is. Raises NotFound, Invalid (a line of another order), Busy.
    """
    order = Order.objects.select_related("user").filter(pk=order_id).first()
    if order is None:
        raise NotFound
    wallet = lock_wallet(order.user)
    lines = check_lines(order, line_ids)
    refunded = [line for line in lines if line.refunded_at is None]
    for line in refunded:
        _do_refund_line(wallet, order, line, by, reason)
    if refunded:
        _record_refund(order, refunded, by, reason)
        do_pay_debts(wallet)
        if order.coupon and not order.lines.filter(refunded_at__isnull=True).exists():
            do_give_back(order)
    return order


def check_lines(order: Order, line_ids: Sequence[uuid.UUID] | None) -> list[OrderLine]:
    lines = {line.pk: line for line in order.lines.select_related("enrolment").order_by("pk")}
    if line_ids is None:
        return list(lines.values())
    if strangers := [str(line_id) for line_id in line_ids if line_id not in lines]:
        raise Invalid(errors={"lines": [f"{line_id} is not a line of this order." for line_id in strangers]})
    return [lines[line_id] for line_id in dict.fromkeys(line_ids)]


def _do_refund_line(wallet: Wallet, order: Order, line: OrderLine, by: User, reason: str) -> None:
    if line.price:
        shares = lots.given_back(line, timezone.now())
        promotional = sum(share.change for share in shares)
        what_for = Reason(order=order, order_line=line, note=reason)
        posting = do_post(wallet, line.price, REVENUE, Kind.REFUND, by, promotional=promotional, **what_for)
        lots.do_enter(posting, shares)
    line.refunded_at = timezone.now()
    line.save(update_fields=["refunded_at"])
    do_end([line.enrolment.pk], "refund")


def _record_refund(order: Order, lines: Sequence[OrderLine], by: User, reason: str) -> None:
    what = {"order": str(order.pk), "lines": [str(line.pk) for line in lines], "credits": sum(it.price for it in lines)}
    record(Audited.REFUND, actor=by, subject=order.user, **what, reason=reason)


def do_adjust(user: User, amount: int, by: User | None, reason: str) -> Wallet:
    """Credit given to (or, negative, taken from) a person by hand. Raises InsufficientCredit, Busy."""
    wallet = _lock_to_spend(user)
    if wallet.balance + amount < 0:
        raise InsufficientCredit(f"The wallet holds {wallet.balance} credits: {-amount} cannot be taken from it.")
    if amount > 0:
        do_post(wallet, amount, ADJUSTMENT, Kind.ADJUSTMENT, by, note=reason)
        do_pay_debts(wallet)
    else:
        lots.do_spend(wallet, [(None, -amount)], ADJUSTMENT, Kind.ADJUSTMENT, by, note=reason)
    record(Audited.WALLET_ADJUSTED, actor=by, subject=user, credits=amount, reason=reason)
    return wallet


def do_grant_promotion(user: User, amount: int, expires_at: datetime, by: User | None, reason: str) -> Lot:
    """Promotional credit, to be spent before `expires_at` (which lies ahead). The lot holds its wallet. Raises Busy.

    What its owner owes is paid from it, as from all credit that arrives: the lot holds what is left.
    """
    wallet = lock_wallet(user)
    lot = lots.new_lot(wallet, amount, expires_at)
    posting = do_post(wallet, amount, PROMOTION, Kind.PROMOTION, by, promotional=amount, note=reason)
    lots.do_enter(posting, [lots.Share(lot, amount)])
    do_pay_debts(wallet)
    lot.refresh_from_db(fields=["remaining"])
    until = expires_at.isoformat()
    record(Audited.PROMOTION_GRANTED, actor=by, subject=user, credits=amount, until=until, reason=reason)
    return lot


def do_expire_promotions(wallet_id: uuid.UUID) -> None:
    """What is over of a wallet's promotional credit leaves it. Raises Busy."""
    lots.do_expire(lock_wallet_by_id(wallet_id))


def do_forfeit(user: User, by: User | None) -> int:
    """What is left in a person's wallet goes to the expired credit (they leave and said so); gives the credits, 0 if empty.

    Raises Busy.
    """
    wallet = _lock_to_spend(user)
    left = wallet.balance
    if left:
        lots.do_spend(wallet, [(None, left)], EXPIRED, Kind.FORFEITURE, by, note="Given up")
    return left


def do_credit_topup(wallet: Wallet, topup: TopUp) -> None:
    """The credits of a paid top-up arrive in its buyer's locked wallet. The database lets each top-up do so once."""
    note = f"{topup.credits} credits"
    do_post(wallet, topup.credits, clearing(topup.provider), Kind.TOPUP, topup.user, topup=topup, note=note)
    do_pay_debts(wallet)
