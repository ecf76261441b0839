"""Reviews, and the rating of a course that follows from them.

Whatever changes which ratings count holds the course's row, and counts them anew before it ends: two reviews at once are
both counted. The lock lets people buy the course meanwhile (it is no FOR UPDATE, which their orders' foreign keys wait for).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from accounts.models import User
from audit.actions import record
from audit.kinds import Kind
from config.problems import NotFound
from courses.errors import NotEnrolled
from courses.models import Course
from learning.actions import hold_running
from learning.errors import AlreadyReviewed, ReviewHidden
from learning.models import Review


def reviews_of(course: Course, viewer: User | AnonymousUser) -> QuerySet[Review]:
    """Those that everybody sees, and the viewer's own; the newest first."""
    seen = Q(hidden_at=None)
    if isinstance(viewer, User):
        seen |= Q(user=viewer)
    return Review.objects.filter(seen, course=course).select_related("user").order_by("-id")


def do_review(user: User, course: Course, *, rating: int, text: str) -> Review:
    """What somebody says who has the course now. Raises NotEnrolled, AlreadyReviewed."""
    try:
        with transaction.atomic():
            if not hold_running(user, course):
                raise NotEnrolled("Only who has this course may review it.")
            with _counted(course.pk):
                return Review.objects.create(user=user, course=course, rating=rating, text=text)
    except IntegrityError as error:
        if "unique" in str(error).lower():
            raise AlreadyReviewed from error
        raise


def do_change(user: User, review_id: uuid.UUID, **fields: Any) -> Review:
    """Changes one's own, also when access has ended. Raises NotFound, ReviewHidden."""
    with _counted(_own(user, review_id).course_id):
        review = _own(user, review_id)
        for name, value in fields.items():
            setattr(review, name, value)
        review.updated_at = timezone.now()
        review.save(update_fields=[*fields, "updated_at"])
        return review


def do_take_back(user: User, review_id: uuid.UUID) -> None:
    """Deletes one's own. Raises NotFound, ReviewHidden."""
    with _counted(_own(user, review_id).course_id):
        _own(user, review_id).delete()


def do_forget(user: User) -> None:
    """Deletes all of a person's, inside the caller's transaction."""
    for review in Review.objects.filter(user=user).order_by("course_id"):  # in one order, for two who leave at once
        with _counted(review.course_id):
            review.delete()


def do_hide(review_id: uuid.UUID, by: User, reason: str) -> bool:
    """Hides one from everybody but its author; False if it was hidden. Raises NotFound."""
    return _do_mark(review_id, by, Kind.REVIEW_HIDDEN, reason)


def do_show(review_id: uuid.UUID, by: User, reason: str) -> bool:
    """Shows a hidden one again; False if it was shown. Raises NotFound."""
    return _do_mark(review_id, by, Kind.REVIEW_SHOWN, reason)


def _do_mark(review_id: uuid.UUID, by: User, kind: Kind, reason: str) -> bool:
    hide = kind == Kind.REVIEW_HIDDEN
    with _counted(_found(review_id).course_id):
        review = _found(review_id)
        if (review.hidden_at is not None) == hide:
            return False
        review.hidden_at, review.hide_reason = (timezone.now(), reason) if hide else (None, "")
        review.save(update_fields=["hidden_at", "hide_reason"])
        ids = {"review": str(review.pk), "course": str(review.course_id)}
        record(kind, actor=by, subject=review.user, **ids, reason=reason)
        return True


def _own(user: User, review_id: uuid.UUID) -> Review:
    review = _found(review_id, user=user)
    if review.hidden_at is not None:  # else who takes it back would write it again
        raise ReviewHidden
    return review


def _found(review_id: uuid.UUID, **whose: User) -> Review:
    found = Review.objects.select_related("user").filter(pk=review_id, **whose).first()
    if found is None:
        raise NotFound
    return found


@contextmanager
def _counted(course_id: uuid.UUID) -> Iterator[None]:
    """A transaction in which the course's reviews change; at its end its rating is what they are."""
    with transaction.atomic():
        course = Course.objects.select_for_update(no_key=True).filter(pk=course_id)
        if not course.values_list("pk").first():
            raise NotFound
        yield
        counted = Review.objects.filter(course=course_id, hidden_at=None).aggregate(
            count=Count("pk"), sum=Sum("rating")
        )
        Course.objects.filter(pk=course_id).update(ratings_count=counted["count"], ratings_sum=counted["sum"] or 0)
