"""How far somebody is: in a lesson, in a course, in all of their courses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, F, IntegerField, Min, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.models import User
from courses.errors import NotEnrolled
from courses.models import Course, Lesson
from courses.opening import opens_at
from learning import intervals
from learning.finding import find_course, once_had
from learning.models import Certificate, CourseProgress, Enrolment, LessonProgress
from learning.progress import duration_ms
from learning.queries import running
from media.queries import durations


@dataclass(frozen=True)
class LessonStanding:
    """`position_s` is where to go on, `watched_s` how much of the video was watched, wherever it was."""

    lesson: UUID
    position_s: float
    watched_s: float
    completed: bool


@dataclass(frozen=True)
class CourseStanding:
    lessons: Sequence[LessonStanding]  # all of the course, in its order
    resume: LessonStanding | None  # None: the course has no lessons
    completed_at: datetime | None
    certificate: str | None  # its code

    @property
    def lessons_count(self) -> int:
        return len(self.lessons)

    @property
    def lessons_completed(self) -> int:
        return sum(each.completed for each in self.lessons)

    @property
    def percent(self) -> int:
        return percent(self.lessons_completed, self.lessons_count)


def percent(completed: int, count: int) -> int:
    """Rounded down: 100 are all lessons."""
    return 100 * completed // count if count else 0


def standing(lesson: Lesson, progress: LessonProgress | None) -> LessonStanding:
    """`lesson` with its duration_s. What lies beyond the end of a video that replaced a longer one is left out."""
    if progress is None:
        return LessonStanding(lesson.pk, 0.0, 0.0, False)
    duration = duration_ms(lesson)
    watched = intervals.length(intervals.clipped(progress.watched, duration))
    position = min(progress.position_ms, duration)
    return LessonStanding(lesson.pk, position / 1000, watched / 1000, progress.completed_at is not None)


def lesson_standing(user: User | AnonymousUser, lesson: Lesson) -> LessonStanding:
    mine = LessonProgress.objects.filter(user=user, lesson=lesson) if isinstance(user, User) else None
    return standing(lesson, mine.first() if mine is not None else None)


def course_standing(user: User, slug: str) -> CourseStanding:
    """Also of a course that the person no longer has: what they did stays theirs. Raises NotFound, NotEnrolled."""
    course = find_course(user, slug)
    if not once_had(user, course):
        raise NotEnrolled("You do not have this course.")
    lessons = Lesson.objects.filter(section__course=course).annotate(duration_s=durations()).defer("body")
    ordered = list(lessons.order_by("section__position", "section_id", "position", "id"))
    found = {each.lesson_id: each for each in LessonProgress.objects.filter(user=user, lesson__in=ordered)}
    standings = [standing(lesson, found.get(lesson.pk)) for lesson in ordered]
    completed = CourseProgress.objects.filter(user=user, course=course).values_list("completed_at", flat=True).first()
    certificate = Certificate.objects.filter(user=user, course=course, revoked_at=None)
    code = certificate.values_list("code", flat=True).first()
    return CourseStanding(standings, _resume(standings, found, _shut(user, course, ordered)), completed, code)


def _shut(user: User, course: Course, lessons: Sequence[Lesson]) -> set[UUID]:
    """The lessons that open to the person later."""
    now = timezone.now()
    since = running(user).filter(course=course).aggregate(since=Min("started_at"))["since"]
    return {lesson.pk for lesson in lessons if (opens_at(lesson, since) or now) > now}


def _resume(
    lessons: Sequence[LessonStanding], found: dict[UUID, LessonProgress], shut: set[UUID]
) -> LessonStanding | None:
    """Where one was last; if that is completed, the next lesson that is neither completed nor shut, from the top again at the
    course's end."""
    if not lessons:
        return None
    last = max(found.values(), key=lambda each: each.position_at, default=None)
    place = next((place for place, each in enumerate(lessons) if last and each.lesson == last.lesson_id), 0)
    ahead = [*lessons[place:], *lessons[:place]]
    return next((each for each in ahead if not each.completed and each.lesson not in shut), lessons[place])


def with_counts(enrolments: QuerySet[Enrolment], user: User) -> QuerySet[Enrolment]:
    """With `lessons_count`, `lessons_completed` and `certificate` (its code) of each one's course, and `access_until`."""
    lessons = Lesson.objects.filter(section__course=OuterRef("course")).order_by().values("section__course")
    done = LessonProgress.objects.filter(
        user=user, completed_at__isnull=False, lesson__section__course=OuterRef("course")
    ).order_by()
    certificate = Certificate.objects.filter(user=user, course=OuterRef("course"), revoked_at=None)
    last = running(user).filter(course=OuterRef("course")).order_by(F("valid_until").desc(nulls_first=True))
    return enrolments.annotate(
        lessons_count=_number(lessons),
        lessons_completed=_number(done.values("lesson__section__course")),
        certificate=Subquery(certificate.values("code")[:1]),
        access_until=Subquery(last.values("valid_until")[:1]),
    )


def _number(grouped: QuerySet[Any, Any]) -> Coalesce:
    return Coalesce(Subquery(grouped.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0)
