"""Coupons: a code that takes a percentage, or a number of credits, off the lines of an order.

An order with a coupon locks the coupon's row last of all, and counts itself there by a conditional UPDATE; orders without
one never touch it. What is off is rounded down to whole credits and divided among the lines for which the coupon is meant,
in proportion to their prices. A refund of the whole order gives the use back; a refund of some of its lines does not.
"""

from __future__ import annotations

from itertools import count

from django.db.models import F, Q
from django.utils import timezone

from accounts.models import User
from wallet.errors import CouponExpired, CouponNotForThis, CouponUnknown, CouponUsedUp
from wallet.models import Coupon, Order, Redemption
from wallet.offers import Offer
from wallet.splitting import split


def check_coupon(code: str) -> Coupon:
    """The coupon with this code, in any case of letters.

    Raises CouponUnknown (also before it starts), CouponExpired, CouponUsedUp.
    """
    coupon = Coupon.objects.filter(code=code.upper()).prefetch_related("courses").first()
    now = timezone.now()
    if coupon is None or coupon.starts_at > now:
        raise CouponUnknown
    if coupon.ends_at is not None and coupon.ends_at <= now:
        raise CouponExpired
    if coupon.limit is not None and coupon.used >= coupon.limit:
        raise CouponUsedUp  # do_redeem decides; this spares most latecomers the work
    return coupon


def discounted(offer: Offer, coupon: Coupon) -> Offer:
    """The offer with the coupon's discount on its lines. Raises CouponNotForThis where nothing comes off."""
    chosen = {course.pk for course in coupon.courses.all()}
    prices = [part.list_price if not chosen or part.course.pk in chosen else 0 for part in offer.parts]
    off = _off(coupon, sum(prices))
    if not off:
        raise CouponNotForThis
    return offer.discounted(split(off, prices))


def _off(coupon: Coupon, price: int) -> int:
    if coupon.percent is not None:
        return price * coupon.percent // 100
    return min(coupon.credits or 0, price)


def do_redeem(coupon: Coupon, buyer: User, order: Order) -> None:
    """Counts an order, whose buyer's wallet is locked, as a use. Raises CouponUsedUp: for this person, or for everybody."""
    room = Q(limit__isnull=True) | Q(used__lt=F("limit"))
    number = _free_number(coupon, buyer)
    if Coupon.objects.filter(room, pk=coupon.pk).update(used=F("used") + 1) != 1:
        raise CouponUsedUp
    Redemption.objects.create(coupon=coupon, user=buyer, order=order, number=number)


def _free_number(coupon: Coupon, buyer: User) -> int:
    running = Redemption.objects.filter(coupon=coupon, user=buyer, returned_at__isnull=True)
    taken = set(running.values_list("number", flat=True))
    number = next(number for number in count(1) if number not in taken)
    if coupon.limit_per_person is not None and number > coupon.limit_per_person:
        raise CouponUsedUp("You have used this coupon as often as one may.")
    return number


def do_give_back(order: Order) -> None:
    """An order that is refunded altogether no longer uses its coupon."""
    redemption = Redemption.objects.filter(order=order, returned_at__isnull=True).first()
    if redemption is None:
        return
    redemption.returned_at = timezone.now()
    redemption.save(update_fields=["returned_at"])
    Coupon.objects.filter(pk=redemption.coupon_id).update(used=F("used") - 1)
