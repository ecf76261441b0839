"""Courses by their slug, for what people do with them once they are made."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from config.problems import NotFound
from courses.models import Course
from courses.queries import managed
from learning.models import Enrolment


def find_course(user: User | AnonymousUser, slug: str) -> Course:
    """One on sale, one that the person has or once had, or one that they manage. Raises NotFound."""
    course = Course.objects.filter(slug=slug).first()
    if course is None or not _may_see(user, course):
        raise NotFound
    return course


def once_had(user: User, course: Course) -> bool:
    """Whether the person has the course, or had it."""
    return Enrolment.objects.filter(user=user, course=course).exists()


def _may_see(user: User | AnonymousUser, course: Course) -> bool:
    if course.status == Course.Status.PUBLISHED:
        return True
    return isinstance(user, User) and (once_had(user, course) or managed(user).filter(pk=course.pk).exists())
