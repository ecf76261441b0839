"""What tests about money share: courses to sell, credit to spend, and a check that the books are right."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from accounts.models import User
from courses.models import Course
from wallet import actions
from wallet.errors import Busy
from wallet.locking import money_transaction
from wallet.reconcile import differences


def course(slug: str = "knots", price: int = 40, **fields: Any) -> Course:
    fields = {"title": slug.title(), "status": Course.Status.PUBLISHED} | fields
    return Course.objects.create(slug=slug, price=price, **fields)


def give(person: User, credits: int) -> None:
    with money_transaction():
        actions.do_adjust(person, credits, None, "For the test")


def buy(client: Any, slug: str = "knots", key: str | None = None, **body: Any) -> Any:
    return client.post("/api/v1/orders/", {"course": slug, **body}, headers={"Idempotency-Key": key or new_key()})


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
    assert list(differences()) == []
