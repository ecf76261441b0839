"""What tests about money share: courses to sell, credit to spend, and a check that the books are right."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from books.reconcile import differences
from courses.models import Bundle, Course
from wallet import actions
from wallet.errors import Busy
from wallet.locking import money_transaction
from wallet.models import Lot

NOT_FROZEN = {"frozen": False, "frozen_because": None, "owed": 0}  # of what the API says of a wallet


def course(slug: str = "knots", price: int = 40, **fields: Any) -> Course:
    fields = {"title": slug.title(), "status": Course.Status.PUBLISHED} | fields
    return Course.objects.create(slug=slug, price=price, **fields)


def bundle(slug: str, price: int, *courses: str) -> Bundle:
    made = Bundle.objects.create(slug=slug, title=slug.title(), price=price, status=Bundle.Status.PUBLISHED)
    made.courses.set(Course.objects.filter(slug__in=courses))
    return made


def give(person: User, credits: int) -> None:
    with money_transaction():
        actions.do_adjust(person, credits, None, "For the test")


def promote(person: User, credits: int, days: float = 30) -> Lot:
    """Promotional credit that ends in so many days (not above zero: it is over already)."""
    with money_transaction():
        return actions.do_grant_promotion(person, credits, timezone.now() + timedelta(days=days), None, "Welcome")


def buy(client: Any, slug: str | None = "knots", key: str | None = None, **body: Any) -> Any:
    """Buys a course, or with `slug=None, bundle="…"` a bundle."""
    body = body if slug is None else {"course": slug, **body}
    return client.post("/api/v1/orders/", body, headers={"Idempotency-Key": key or new_key()})


def patiently(call: Callable[[], Any]) -> Any:
    """What `call` gives in the end, repeated while it is told "busy", as every client is told to do."""
    for _ in range(30):
        try:
            answer = call()
        except Busy:
            continue
        if getattr(answer, "status_code", None) != 409 or answer.json()["code"] != "busy":
            return answer
    raise AssertionError("busy thirty times")


def new_key() -> str:
    return str(uuid.uuid4())


def assert_books_are_right() -> None:
    connection.check_constraints()  # what the database would look at when this is committed
    assert list(differences()) == []


@pytest.fixture(autouse=True)
def books_stay_right(request: pytest.FixtureRequest, database: None) -> Iterator[None]:
    """After every test. Mark one that spoils the books on purpose with `spoils_the_books`."""
    yield
    if not request.node.get_closest_marker("spoils_the_books"):
        assert_books_are_right()
