"""Whatever one does with a wallet, in any order, it stays what a few lines of plain Python say it should be."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from accounts.models import User
from learning.errors import AlreadyEnrolled
from learning.models import Enrolment
from tests import books
from wallet import actions, queries
from wallet.errors import InsufficientCredit
from wallet.models import Coupon
from wallet.tasks import expire_promotions

PRICES = {"knots": 40, "sails": 25, "tides": 0, "wind": 7}
HARBOUR = {"knots": 22, "sails": 14, "wind": 4}  # of 40 credits
HALVED = {"knots": 20, "sails": 13, "wind": 4}  # what is left of a price at 50 % off, rounded down
GRACE = 14  # days


@dataclass
class Bought:
    price: int
    days: int  # from the beginning
    lots: dict[int, int] = field(default_factory=dict)  # the day of each lot, and what it paid


class Model:
    """Credit as whole numbers in a dict: no rows, no postings, no locks. Lots that end on the same day are one here."""

    def __init__(self) -> None:
        self.today = 0
        self.paid = 0
        self.lots: dict[int, int] = {}  # by the day on which they end
        self.has: dict[str, Bought] = {}

    @property
    def spendable(self) -> int:
        return self.paid + sum(credits for day, credits in self.lots.items() if day > self.today)

    def take(self, due: int) -> dict[int, int]:
        taken = {}
        for day in sorted(day for day in self.lots if day > self.today):
            taken[day] = min(due, self.lots[day])
            self.lots[day] -= taken[day]
            due -= taken[day]
        self.paid -= due
        return taken

    def buy(self, prices: dict[str, int]) -> None:
        for course, price in prices.items():
            self.has[course] = Bought(price, self.today, self.take(price))

    def refund(self, course: str) -> None:
        bought = self.has.pop(course)
        self.paid += bought.price - sum(bought.lots.values())
        for day, credits in bought.lots.items():
            until = max(day, self.today + GRACE)
            self.lots[until] = self.lots.get(until, 0) + credits


class Machine(RuleBasedStateMachine):
    """Does the same to the wallet and to the model. Days go by for both."""

    def __init__(self) -> None:
        super().__init__()
        self.everything = transaction.atomic()
        self.everything.__enter__()
        self.person = User.objects.create_user("walter", "walter@example.org", "x")
        for slug, price in PRICES.items():
            books.course(slug, price=price)
        books.bundle("harbour", 40, *HARBOUR)
        Coupon.objects.create(code="HALF", percent=50, limit_per_person=None)
        self.model = Model()
        self.now = timezone.now
        self.start = self.now()
        self.pass_days(0)

    def teardown(self) -> None:
        timezone.now = self.now
        books.assert_books_are_right()
        transaction.set_rollback(True)
        self.everything.__exit__(None, None, None)

    @rule(days=st.integers(1, 20))
    def pass_days(self, days: int) -> None:
        self.model.today += days
        moment = self.start + timedelta(days=self.model.today)
        timezone.now = lambda: moment

    @rule(credits=st.integers(1, 60))
    def give(self, credits: int) -> None:
        books.give(self.person, credits)
        self.model.paid += credits

    @rule(credits=st.integers(1, 60))
    def take_away(self, credits: int) -> None:
        with refused(InsufficientCredit, credits > self.model.spendable):
            books.give(self.person, -credits)
            self.model.take(credits)

    @rule(credits=st.integers(1, 60), days=st.integers(1, 30))
    def promote(self, credits: int, days: int) -> None:
        books.promote(self.person, credits, days)
        until = self.model.today + days
        self.model.lots[until] = self.model.lots.get(until, 0) + credits

    @rule()
    def expire(self) -> None:
        expire_promotions()

    @rule()
    def give_up(self) -> None:
        assert actions.do_forfeit(self.person, None) == self.model.spendable
        self.model.take(self.model.spendable)

    @rule(course=st.sampled_from(sorted(PRICES)))
    def buy(self, course: str) -> None:
        self.purchase({course: PRICES[course]}, course=course)

    @rule(course=st.sampled_from(sorted(HALVED)))
    def buy_with_coupon(self, course: str) -> None:
        self.purchase({course: HALVED[course]}, course=course, coupon="half")

    @rule()
    def buy_bundle(self) -> None:
        self.purchase(HARBOUR, bundle="harbour")

    def purchase(self, prices: dict[str, int], **what: str) -> None:
        missing = {course: price for course, price in prices.items() if course not in self.model.has}
        refusal = AlreadyEnrolled if not missing else InsufficientCredit
        with refused(refusal, not missing or sum(missing.values()) > self.model.spendable):
            order = actions.do_purchase(self.person, **what)
            assert order.balance >= 0
            self.model.buy(missing)

    @precondition(lambda self: self.model.has)
    @rule(data=st.data())
    def refund(self, data: st.DataObject) -> None:
        course = data.draw(st.sampled_from(sorted(self.model.has)))
        line = Enrolment.objects.get(user=self.person, course__slug=course, ended_at=None).order_line
        for _ in range(2):  # the second time changes nothing
            actions.do_refund(line.order_id, self.person, "Asked for", [line.pk])
        self.model.refund(course)

    @invariant()
    def is_what_the_model_says(self) -> None:
        wallet = queries.wallet_of(self.person)
        assert queries.spendable(wallet) == self.model.spendable
        ends = [(lot.expires_at - self.start).days for lot in queries.promotional(wallet)]
        assert sorted(set(ends)) == sorted(
            day for day, left in self.model.lots.items() if left and day > self.model.today
        )
        running = Enrolment.objects.filter(user=self.person, ended_at=None).values_list("course__slug", flat=True)
        assert sorted(running) == sorted(self.model.has)


@contextmanager
def refused(refusal: type[Exception], expected: bool):
    """What is done inside is refused, and leaves nothing behind, if it is expected to be."""
    if not expected:
        yield
        return
    with pytest.raises(refusal), transaction.atomic():
        yield


def run(steps: int, examples: int) -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,  # the machine is shared
            database=None,
            phases=[Phase.generate],  # a failure is short enough as it is, and each step costs queries
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_few_steps(db):
    run(steps=40, examples=6)


@pytest.mark.long
def test_ten_thousand_steps(db):
    run(steps=100, examples=100)
