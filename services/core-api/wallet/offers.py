"""What an order buys: one course, or what its buyer does not have yet of a bundle, with what each course costs now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from config.compiled import Parameter, compiled
from config.problems import NotFound
from courses.models import Bundle, Course, Terms
from courses.queries import bundles_on_sale
from learning.models import Enrolment
from wallet.errors import AccessOver, PriceChanged
from wallet.splitting import split


@dataclass(frozen=True)
class Part:
    """One line to be. `list_price` is what the course costs without a coupon."""

    course: Course
    list_price: int
    discount: int = 0

    @property
    def price(self) -> int:
        return self.list_price - self.discount


@dataclass(frozen=True)
class Offer:
    title: str
    source: Enrolment.Source
    parts: Sequence[Part]
    valid_until: datetime | None = None  # of what is bought now; None: no end

    @property
    def price(self) -> int:
        return sum(part.price for part in self.parts)

    def without(self, had: Collection[UUID]) -> Offer:
        """What is left for somebody who has some of the courses already."""
        return replace(self, parts=[part for part in self.parts if part.course.pk not in had])

    def discounted(self, discounts: Sequence[int]) -> Offer:
        pairs = zip(self.parts, discounts, strict=True)
        return replace(self, parts=[replace(part, discount=discount) for part, discount in pairs])


def offer_of_course(slug: str, expected_price: int | None) -> Offer:
    """Raises NotFound (not on sale), PriceChanged, AccessOver."""
    found = _on_sale(slug=slug)
    if not found:
        raise NotFound("There is no such course on sale.")
    course = found[0]
    check_price(course.price, expected_price)
    source = Enrolment.Source.ORDER if course.price else Enrolment.Source.FREE
    return Offer(course.title, source, [Part(course, course.price)], _end(course))


@compiled
def _on_sale() -> QuerySet[Course]:
    return Course.objects.filter(slug=Parameter("slug"), status=Course.Status.PUBLISHED)


def offer_of_bundle(slug: str, expected_price: int | None) -> Offer:
    """The bundle's price, divided among its courses in proportion to their own prices. Raises NotFound, PriceChanged, AccessOver.

    How long access lasts is the bundle's to say, not its courses': it goes with the price.
    Whoever has some of the courses pays the shares of the others alone: nobody pays for a course twice, and what one has
    left to pay for a bundle does not depend on the order in which its courses were bought.
    """
    bundle = bundles_on_sale().filter(slug=slug).first()
    if bundle is None:
        raise NotFound("There is no such bundle on sale.")
    check_price(bundle.price, expected_price)
    return Offer(bundle.title, Enrolment.Source.BUNDLE, parts_of(bundle), _end(bundle))


def _end(sold: Terms) -> datetime | None:
    now = timezone.now()
    end = sold.ends_at(now)
    if end is not None and end <= now:
        raise AccessOver
    return end


def price_left(bundle: Bundle, had: Collection[UUID]) -> int:
    """What a bundle costs somebody who has these courses already."""
    return sum(part.price for part in parts_of(bundle) if part.course.pk not in had)


def parts_of(bundle: Bundle) -> list[Part]:
    courses = list(bundle.courses.all())
    return [
        Part(course, share)
        for course, share in zip(courses, split(bundle.price, [it.price for it in courses]), strict=True)
    ]


def check_price(price: int, expected: int | None) -> None:
    if expected is not None and expected != price:
        raise PriceChanged(f"The price is {price} credits now, not {expected}.")
