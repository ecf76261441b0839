"""Every write about who may learn what."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime

from django.db import IntegrityError
from django.utils import timezone

from accounts.models import User
from config.compiled import insert_all
from learning.errors import AlreadyEnrolled
from learning.models import Enrolment
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


def do_end(enrolments: Iterable[uuid.UUID], reason: str) -> int:
    """Ends those that still run; gives how many. Their access is over when the transaction commits."""
    ids = list(enrolments)
    if not ids:
        return 0
    return Enrolment.objects.filter(pk__in=ids, ended_at__isnull=True).update(
        ended_at=timezone.now(), end_reason=reason
    )
