"""Who has which course now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.models import User
from config.compiled import Parameter, compiled
from learning.models import Certificate, CourseProgress, Enrolment, LessonProgress, Review
from privacy.sections import Section, rows

BOUGHT = (Enrolment.Source.ORDER, Enrolment.Source.BUNDLE, Enrolment.Source.FREE)


def running(user: User | AnonymousUser) -> QuerySet[Enrolment]:
    """The person's enrolments that give access now; none for somebody who is not logged in."""
    if not isinstance(user, User):
        return Enrolment.objects.none()
    open_ended = Q(valid_until__isnull=True) | Q(valid_until__gt=timezone.now())
    return Enrolment.objects.filter(open_ended, user=user, ended_at__isnull=True)


class Had(NamedTuple):
    """Which of some courses a person has."""

    courses: set[UUID]  # without an end, or bought and running: not to be sold to them
    over: list[UUID]  # bought enrolments in these courses that are over, but not ended yet


def had(user: User | AnonymousUser, courses: Iterable[UUID]) -> Had:
    """Which of these courses are not to be sold to the person. Who was lent one until a day may buy it."""
    answer = Had(set(), [])
    if not isinstance(user, User):
        return answer
    for enrolment in _not_ended(user, list(courses)):
        expired = enrolment.valid_until is not None and enrolment.valid_until <= timezone.now()
        if enrolment.source in BOUGHT and expired:
            answer.over.append(enrolment.pk)
        elif enrolment.source in BOUGHT or enrolment.valid_until is None:
            answer.courses.add(enrolment.course_id)
    return answer


def _not_ended(user: User, courses: list[UUID]) -> Iterable[Enrolment]:
    if len(courses) == 1:
        return _not_ended_in(user=user.pk, course=courses[0])
    return Enrolment.objects.filter(user=user, course__in=courses, ended_at__isnull=True)


@compiled
def _not_ended_in() -> QuerySet[Enrolment]:
    return Enrolment.objects.filter(user=Parameter("user"), course=Parameter("course"), ended_at__isnull=True)


def enrolled(user: User | AnonymousUser) -> Exists:
    """Whether the person has the course now, for whatever reason: an annotation of a query of courses."""
    return Exists(running(user).filter(course=OuterRef("pk")))


def held_about(user: User) -> list[Section]:
    """For the person's export."""
    shown = rows(
        Enrolment.objects.filter(user=user).order_by("started_at"),
        *("id", "source", "order_line_id", "started_at", "valid_until", "ended_at", "end_reason"),
        course="course__slug",
        title="course__title",
    )
    progress = rows(
        LessonProgress.objects.filter(user=user).order_by("lesson_id"),
        *("watched", "position_ms", "position_at", "completed_at", "updated_at"),
        course="lesson__section__course__slug",
        lesson="lesson__title",
    )
    courses = rows(
        CourseProgress.objects.filter(user=user).order_by("pk"),
        *("completed_at", "allowance_ms", "allowance_at"),
        course="course__slug",
    )
    certificates = rows(
        Certificate.objects.filter(user=user).order_by("pk"),
        *("code", "name", "title", "completed_at", "revoked_at", "revoke_reason"),
        course="course__slug",
    )
    reviews = rows(
        Review.objects.filter(user=user).order_by("pk"),
        *("rating", "text", "created_at", "updated_at", "hidden_at", "hide_reason"),
        course="course__slug",
    )
    return [
        Section("enrolments", "The courses that you have or had.", shown, ("learning.Enrolment",)),
        Section(
            "progress", "What you watched of which lesson, in milliseconds.", progress, ("learning.LessonProgress",)
        ),
        Section("certificates", "Your certificates.", certificates, ("learning.Certificate",)),
        Section("reviews", "What you wrote about courses.", reviews, ("learning.Review",)),
        Section("course_progress", "When you completed which course.", courses, ("learning.CourseProgress",)),
    ]
