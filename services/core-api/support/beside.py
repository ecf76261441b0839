"""What stands beside a ticket on the desk: who the learner is, as far as the agent may know."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from accounts.models import User
from approvals.models import Approval
from courses.models import Lesson
from learning.models import Enrolment, LessonProgress
from learning.standing import percent, with_counts
from support.tickets import Ticket
from wallet.models import Order
from wallet.queries import orders_of, spendable, wallet_of

MOST = 10  # of a learner's courses, and of their orders: the newest


@dataclass(frozen=True)
class Studied:
    """One of a learner's enrolments, and how far they are in its course."""

    enrolment: Enrolment
    percent: int
    over: bool


@dataclass(frozen=True)
class Asked:
    """The lesson that the ticket is about."""

    lesson: Lesson
    completed: bool
    position_s: int


@dataclass(frozen=True)
class Purchases:
    balance: int
    frozen: bool
    orders: list[Order]


@dataclass(frozen=True)
class Beside:
    """`learner` None: erased. `purchases` None: the agent may not see them."""

    learner: User | None
    email: str = ""
    asked: Asked | None = None
    courses: list[Studied] = field(default_factory=list)
    purchases: Purchases | None = None
    proposals: list[Approval] = field(default_factory=list)


def beside(ticket: Ticket, agent: User) -> Beside:
    """As many queries for many courses and orders as for one."""
    learner = User.objects.filter(pk=ticket.learner, erased_at__isnull=True).first()
    if learner is None:
        return Beside(None)
    return Beside(
        learner,
        email=learner.email if agent.has_perm("accounts.view_user") else "",
        asked=_asked(ticket, learner),
        courses=_courses(learner),
        purchases=_purchases(learner) if agent.has_perm("support.see_purchases") else None,
        proposals=list(Approval.objects.filter(person=learner, ticket_id=ticket.id).order_by("-id")),
    )


def _asked(ticket: Ticket, learner: User) -> Asked | None:
    if ticket.lesson is None:
        return None
    lesson = Lesson.objects.filter(pk=ticket.lesson).select_related("section__course").defer("body").first()
    if lesson is None:
        return None
    progress = LessonProgress.objects.filter(user=learner, lesson=lesson).first()
    if progress is None:
        return Asked(lesson, completed=False, position_s=0)
    return Asked(lesson, progress.completed_at is not None, progress.position_ms // 1000)


def _courses(learner: User) -> list[Studied]:
    newest = Enrolment.objects.filter(user=learner).select_related("course").order_by("-started_at", "-id")
    counted: Any = with_counts(newest, learner)[:MOST]  # enrolments with the counts beside their own fields
    now = timezone.now()
    return [
        Studied(
            each,
            percent(each.lessons_completed, each.lessons_count),
            over=each.ended_at is not None or (each.valid_until is not None and each.valid_until <= now),
        )
        for each in counted
    ]


def _purchases(learner: User) -> Purchases:
    wallet = wallet_of(learner)
    return Purchases(spendable(wallet), wallet.frozen, list(orders_of(learner)[:MOST]))
