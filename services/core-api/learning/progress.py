"""What clients report about lessons: merged, capped by what can be true, and what follows from it.

All reports of one person about one course come one by one, by the lock of their enrolment: none is lost, and of two that
complete the last two lessons at once the second sees the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from accounts.models import User
from config.problems import NotFound
from courses.errors import NotEnrolled
from courses.models import Course, Lesson
from learning import intervals, pace
from learning.actions import hold_running
from learning.certificates import do_issue
from learning.models import CourseProgress, LessonProgress

COMPLETE = 0.9  # the part of a video that counts as having watched it
MOST_PIECES = 1_000  # intervals kept of a lesson; somebody who jumps about makes some dozens


@dataclass(frozen=True)
class Report:
    """What a client says. Seconds of the video; `at` is the client's clock when it was there."""

    position_s: float
    watched: Sequence[tuple[float, float]]
    at: datetime
    completed: bool | None = None  # of a lesson without a video: None counts as yes


def do_report(user: User, lesson: Lesson, report: Report) -> LessonProgress:
    """Takes a report about a lesson that the person may open, as `courses.queries.find_lesson` gives it.

    The union of all that was reported counts, as far as it can be true (learning.pace). The position is the one that is last
    by the clients' clocks. A lesson stays completed, whatever happens to its video. Raises NotEnrolled, NotFound.
    """
    try:
        with transaction.atomic():
            return _do_report(user, lesson, report)
    except IntegrityError as error:
        if Lesson.objects.filter(pk=lesson.pk).exists():
            raise
        raise NotFound from error  # its author deleted it meanwhile


def _do_report(user: User, lesson: Lesson, report: Report) -> LessonProgress:
    course = lesson.section.course
    since = _hold_enrolment(user, course)
    overall = CourseProgress.objects.filter(user=user, course=course).first()
    overall = overall or CourseProgress(user=user, course=course, allowance_ms=pace.AT_FIRST, allowance_at=since)
    progress = LessonProgress.objects.filter(user=user, lesson=lesson).first()
    progress = progress or LessonProgress(user=user, lesson=lesson, position_at=since)
    duration = duration_ms(lesson)
    _do_watch(overall, progress, report.watched, duration)
    _do_move(progress, report, since, duration)
    if progress.completed_at is None and _is_complete(lesson, progress, report, duration):
        progress.completed_at = timezone.now()
    progress.updated_at = timezone.now()
    progress.save()
    if progress.completed_at and overall.completed_at is None:
        _do_complete(overall, user, course)
    return progress


def duration_ms(lesson: Any) -> int:
    """Of the lesson's current video; 0 without one."""
    return round((lesson.duration_s or 0) * 1000)


def _hold_enrolment(user: User, course: Course) -> datetime:
    """Reports of a person about a course come one by one; gives when the first of their enrolments began. Raises NotEnrolled."""
    began = hold_running(user, course)
    if not began:
        raise NotEnrolled
    return min(began)


def _do_watch(
    overall: CourseProgress, progress: LessonProgress, watched: Sequence[tuple[float, float]], duration: int
) -> None:
    """Adds what is new and can be true, and takes it from the course's allowance."""
    known = intervals.union(progress.watched)
    reported = intervals.union((_ms(start, duration), _ms(end, duration)) for start, end in watched)
    new = intervals.without(reported, known)
    now = timezone.now()
    allowed = pace.allowance(overall.allowance_ms, overall.allowance_at, now)
    new = intervals.earliest(new, allowed)
    overall.allowance_ms, overall.allowance_at = allowed - intervals.length(new), now
    overall.save()
    progress.watched = _bounded(intervals.union(known, new))


def _ms(seconds: float, duration: int) -> int:
    """Clamped to the video."""
    return round(min(max(seconds, 0) * 1000, duration))


def _bounded(moments: intervals.Intervals) -> intervals.Intervals:
    """Without its shortest pieces where it has more of them than somebody makes who watches."""
    if len(moments) <= MOST_PIECES:
        return moments
    return sorted(sorted(moments, key=lambda piece: piece[0] - piece[1])[:MOST_PIECES])


def _do_move(progress: LessonProgress, report: Report, since: datetime, duration: int) -> None:
    """The position that is last by the clients' clocks, which can be neither ahead of ours nor before the enrolment."""
    at = max(min(report.at, timezone.now()), since)
    there = (at, _ms(report.position_s, duration))
    if there > (progress.position_at, progress.position_ms):
        progress.position_at, progress.position_ms = there


def _is_complete(lesson: Lesson, progress: LessonProgress, report: Report, duration: int) -> bool:
    if lesson.kind == Lesson.Kind.VIDEO:
        watched = intervals.length(intervals.clipped(progress.watched, duration))
        return duration > 0 and watched >= COMPLETE * duration
    return report.completed is not False


def _do_complete(overall: CourseProgress, user: User, course: Course) -> None:
    """Once every lesson of the course is completed: notes it, and issues the certificate."""
    done = LessonProgress.objects.filter(user=user, lesson=OuterRef("pk"), completed_at__isnull=False)
    if Lesson.objects.filter(~Exists(done), section__course=course).exists():
        return
    overall.completed_at = timezone.now()
    overall.save(update_fields=["completed_at"])
    do_issue(user, course)
