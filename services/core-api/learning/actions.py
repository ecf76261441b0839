"""Every write about who may learn what."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.db import IntegrityError
from django.utils import timezone

from accounts.models import User
from courses.models import Course
from learning.errors import AlreadyEnrolled
from learning.models import Enrolment
from wallet.models import OrderLine

BOUGHT = (Enrolment.Source.ORDER, Enrolment.Source.FREE)


def check_not_enrolled(user: User, course: Course) -> list[Enrolment]:
    """Refuses whoever has the course without an end, or has bought it, with AlreadyEnrolled.

    Answers bought enrolments that are over but not yet ended.
    """
    running = Enrolment.objects.filter(user=user, course=course, ended_at__isnull=True)
    over = []
    for enrolment in running:
        expired = enrolment.valid_until is not None and enrolment.valid_until <= timezone.now()
        if enrolment.source in BOUGHT and expired:
            over.append(enrolment)
        elif enrolment.source in BOUGHT or enrolment.valid_until is None:
            raise AlreadyEnrolled
    return over


def do_enrol(user: User, course: Course, source: Enrolment.Source, order_line: OrderLine | None = None) -> Enrolment:
    """Gives a person a course, inside the caller's transaction.

    A bought one ends an expired one first, and is refused with AlreadyEnrolled beside a running one; grants and bundles
    are further reasons and may stand beside others.
    """
    if source in BOUGHT:
        do_end((enrolment.pk for enrolment in check_not_enrolled(user, course)), "expired")
    try:
        return Enrolment.objects.create(user=user, course=course, source=source, order_line=order_line)
    except IntegrityError as error:
        if source in BOUGHT and "unique" in str(error).lower():  # somebody else enrolled them a moment ago
            raise AlreadyEnrolled from error
        raise


def do_end(enrolments: Iterable[uuid.UUID], reason: str) -> int:
    """Ends those that still run; gives how many. Their access is over when the transaction commits."""
    ids = list(enrolments)
    if not ids:
        return 0
    return Enrolment.objects.filter(pk__in=ids, ended_at__isnull=True).update(
        ended_at=timezone.now(), end_reason=reason
    )
