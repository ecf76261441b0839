"""Every movement of credit. Call these inside `money_transaction()` (or `idempotency.once`, which opens one).

`check_…` refuses, `do_…` writes. The wallet's row is locked before anything else that two requests could share, so that
one wallet's movements happen one after another and no two wait for each other in a circle.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import NamedTuple

from django.utils import timezone

from accounts.models import User
from config.problems import Invalid, NotFound
from courses.models import Course
from learning.actions import check_not_enrolled, do_end, do_enrol
from learning.models import Enrolment
from payments.models import TopUp
from wallet.accounts import ADJUSTMENT, EXPIRED, REVENUE, clearing
from wallet.errors import InsufficientCredit, PriceChanged, WalletFrozen
from wallet.ledger import do_post, lock_wallet
from wallet.models import Order, OrderLine, Posting, Wallet

Kind = Posting.Kind


class Purchase(NamedTuple):
    order: Order
    balance: int  # what the wallet holds afterwards


def do_purchase(buyer: User, slug: str, expected_price: int | None = None) -> Purchase:
    """One course bought: order with its line, credit moved, enrolment. A free course moves no credit.

    Raises NotFound (no such course on sale), PriceChanged, AlreadyEnrolled, WalletFrozen, InsufficientCredit, Busy.
    """
    wallet = lock_wallet(buyer)
    course = check_on_sale(slug, expected_price)
    if course.price:
        check_can_pay(wallet, course)
    order = Order.objects.create(user=buyer, price=course.price)
    line = OrderLine.objects.create(order=order, course=course, price=course.price)
    do_enrol(buyer, course, Enrolment.Source.ORDER, line)
    if course.price:
        do_post(wallet, -course.price, REVENUE, Kind.PURCHASE, buyer, order=order, note=course.title)
    return Purchase(order, wallet.balance)


def check_on_sale(slug: str, expected_price: int | None) -> Course:
    course = Course.objects.filter(slug=slug, status=Course.Status.PUBLISHED).first()
    if course is None:
        raise NotFound("There is no such course on sale.")
    if expected_price is not None and expected_price != course.price:
        raise PriceChanged(f"The price is {course.price} credits now, not {expected_price}.")
    return course


def check_can_pay(wallet: Wallet, course: Course) -> None:
    """Refuses a frozen wallet and one that holds too little, unless they have the course: that is the better answer."""
    if wallet.frozen or wallet.balance < course.price:
        check_not_enrolled(wallet.user, course)
        raise WalletFrozen if wallet.frozen else InsufficientCredit.missing(course.price, wallet.balance)


def do_refund(order_id: uuid.UUID, by: User, reason: str, line_ids: Sequence[uuid.UUID] | None = None) -> Order:
    """Gives back the price of an order's lines (all by default) and ends just their enrolments.

    A line that was refunded before stays as it is. Raises NotFound, Invalid (a line of another order), Busy.
    """
    order = Order.objects.select_related("user").filter(pk=order_id).first()
    if order is None:
        raise NotFound
    wallet = lock_wallet(order.user)
    for line in check_lines(order, line_ids):
        if line.refunded_at is None:
            _do_refund_line(wallet, order, line, by, reason)
    return order


def check_lines(order: Order, line_ids: Sequence[uuid.UUID] | None) -> list[OrderLine]:
    lines = {line.pk: line for line in order.lines.select_related("enrolment")}
    if line_ids is None:
        return list(lines.values())
    if strangers := [str(line_id) for line_id in line_ids if line_id not in lines]:
        raise Invalid(errors={"lines": [f"{line_id} is not a line of this order." for line_id in strangers]})
    return [lines[line_id] for line_id in dict.fromkeys(line_ids)]


def _do_refund_line(wallet: Wallet, order: Order, line: OrderLine, by: User, reason: str) -> None:
    if line.price:
        do_post(wallet, line.price, REVENUE, Kind.REFUND, by, order=order, order_line=line, note=reason)
    line.refunded_at = timezone.now()
    line.save(update_fields=["refunded_at"])
    do_end([line.enrolment.pk], "refund")


def do_adjust(user: User, amount: int, by: User | None, reason: str) -> Wallet:
    """Credit given to (or, negative, taken from) a person by hand. Raises InsufficientCredit, Busy."""
    wallet = lock_wallet(user)
    if wallet.balance + amount < 0:
        raise InsufficientCredit(f"The wallet holds {wallet.balance} credits: {-amount} cannot be taken from it.")
    do_post(wallet, amount, ADJUSTMENT, Kind.ADJUSTMENT, by, note=reason)
    return wallet


def do_forfeit(user: User, by: User | None) -> int:
    """What is left in a person's wallet goes to the expired credit (they leave and said so); gives the credits, 0 if empty.

    Raises Busy.
    """
    wallet = lock_wallet(user)
    left = wallet.balance
    if left:
        do_post(wallet, -left, EXPIRED, Kind.FORFEITURE, by, note="Given up")
    return left


def do_credit_topup(wallet: Wallet, topup: TopUp) -> None:
    """The credits of a paid top-up arrive in its buyer's locked wallet. The database lets each top-up do so once."""
    note = f"{topup.credits} credits"
    do_post(wallet, topup.credits, clearing(topup.provider), Kind.TOPUP, topup.user, topup=topup, note=note)
