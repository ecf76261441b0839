"""Every write about who may learn what."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime

from django.db import IntegrityError
from django.utils import timezone

from accounts.models import User
from config.compiled import insert_all
from courses.models import Course
from learning.errors import AlreadyEnrolled
from learning.models import Enrolment
from learning.queries import running
from wallet.models import OrderLine


def do_enrol_lines(
    user: User, lines: Iterable[OrderLine], source: Enrolment.Source, valid_until: datetime | None
) -> None:
    """Gives a person the courses of an order's lines until `valid_until` (None: no end), in the caller's transaction.

    Raises AlreadyEnrolled where one of them is bought already; `had` says so before, and what is over is to be ended before.
    """
    enrolments = [
        Enrolment(user=user, course=line.course, source=source, order_line=line, valid_until=valid_until)
        for line in lines
    ]
    try:
        insert_all(enrolments)
    except IntegrityError as error:
        if "unique" in str(error).lower():  # somebody else enrolled them a moment ago
            raise AlreadyEnrolled from error
        raise


def hold_running(user: User, course: Course) -> list[datetime]:
    """When the person's running enrolments in a course began, each locked until the transaction ends; none: they lack it.

    Whoever ends one comes before or after: not even erasure leaves anything behind that was written under this lock.
    """
    held = running(user).filter(course=course).order_by("pk").select_for_update(no_key=True)
    return list(held.values_list("started_at", flat=True))


def do_end(enrolments: Iterable[uuid.UUID], reason: str) -> int:
    """Ends those that still run; gives how many. Their access is over when the transaction commits."""
    ids = list(enrolments)
    if not ids:
        return 0
    return Enrolment.objects.filter(pk__in=ids, ended_at__isnull=True).update(
        ended_at=timezone.now(), end_reason=reason
    )
