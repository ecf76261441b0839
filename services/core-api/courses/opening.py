"""When a lesson opens to somebody who has its course (published.lesson_access says the same, in SQL)."""

from __future__ import annotations

from datetime import datetime, timedelta

from courses.models import Lesson


def opens_at(lesson: Lesson, enrolled_since: datetime | None) -> datetime | None:
    """The moment from which on the lesson is open to whoever has the course since `enrolled_since`; None: it always is, or,
    for somebody who does not have the course, it depends on when they enrol.

    Of several enrolments the first one that still runs counts.
    """
    if lesson.opens_after_days is not None and enrolled_since is not None:
        return enrolled_since + timedelta(days=lesson.opens_after_days)
    return lesson.opens_on
