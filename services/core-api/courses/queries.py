"""Which courses and lessons somebody may see or change. What one may not see is answered as if it were not there."""

from __future__ import annotations

import uuid
from typing import Any, TypeVar

from django.contrib.auth.models import AnonymousUser, Permission
from django.db.models import (
    Count,
    Exists,
    FloatField,
    IntegerField,
    Min,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.models import User
from config.problems import NotAuthenticated, NotFound
from courses.errors import LessonNotOpen, NotEnrolled
from courses.models import Bundle, Category, Course, Lesson, Section, Tag
from courses.opening import opens_at
from learning.queries import enrolled, running
from media import queries as media
from privacy import sections

Viewer = User | AnonymousUser
Label = TypeVar("Label", Category, Tag)


def managed(user: Viewer) -> QuerySet[Course]:
    """The courses that the person may change."""
    if user.has_perm("courses.manage_all"):
        return Course.objects.all()
    if isinstance(user, User) and user.has_perm("courses.manage"):
        return Course.objects.filter(
            Exists(Course.instructors.through.objects.filter(course=OuterRef("pk"), user=user))
        )
    return Course.objects.none()


def possible_instructors() -> QuerySet[User]:
    """Active people who may manage courses, and whoever teaches one already."""
    manage = Permission.objects.filter(content_type__app_label="courses", codename="manage")
    may = Q(is_superuser=True) | Q(user_permissions__in=manage) | Q(groups__permissions__in=manage)
    return User.objects.filter(Q(may, is_active=True) | Q(courses_taught__isnull=False)).distinct().order_by("username")


def visible(user: Viewer) -> QuerySet[Course]:
    """Published ones, those that the person has although they are no longer sold, and those that the person may change."""
    return Course.objects.filter(
        Q(status=Course.Status.PUBLISHED) | Q(enrolled(user)) | Q(pk__in=managed(user).values("pk"))
    )


def described(courses: QuerySet[Course], user: Viewer) -> QuerySet[Course]:
    """With what a card in the catalogue shows: lessons_count, duration_s (seconds), enrolled."""
    lessons = Lesson.objects.filter(section__course=OuterRef("pk")).order_by().values("section__course")
    packages = media.current_packages(OuterRef("pk")).order_by().values("lesson__section__course")
    return (
        courses.select_related("category")
        .prefetch_related("tags", Prefetch("instructors", _teachers()))
        .annotate(
            lessons_count=Coalesce(
                Subquery(lessons.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), Value(0)
            ),
            duration_s=Coalesce(
                Subquery(packages.annotate(s=Sum("duration_s")).values("s"), output_field=FloatField()), Value(0.0)
            ),
            enrolled=enrolled(user),
        )
    )


def _teachers() -> QuerySet[User]:
    return User.objects.order_by("username").only("username", "name")


def with_courses_count(labels: QuerySet[Label]) -> QuerySet[Label]:
    """Categories or tags with `courses_count`: how many courses on sale have them."""
    on_sale = Count("courses", filter=Q(courses__status=Course.Status.PUBLISHED))
    return labels.annotate(courses_count=on_sale)


def with_outline(courses: QuerySet[Course]) -> QuerySet[Course]:
    lessons = Lesson.objects.annotate(duration_s=media.durations()).defer("body")
    return courses.prefetch_related(
        Prefetch("sections", Section.objects.prefetch_related(Prefetch("lessons", lessons))),
    )


def find_course(user: Viewer, slug: str) -> Course:
    """One course as its page shows it, each of its lessons with `opens_at`. Raises NotFound."""
    since = running(user).filter(course=OuterRef("pk")).order_by("started_at").values("started_at")[:1]
    courses = with_outline(described(Course.objects.filter(slug=slug), user)).annotate(enrolled_since=Subquery(since))
    course = courses.first()
    if course is None or not _may_see(user, course):
        raise NotFound
    for section in course.sections.all():
        for lesson in section.lessons.all():
            lesson.opens_at = opens_at(lesson, course.enrolled_since)  # type: ignore[attr-defined]  # computed, for the serializer
    return course


def _may_see(user: Viewer, course: Any) -> bool:
    """As `visible`, without a query."""
    if course.status == Course.Status.PUBLISHED or course.enrolled or user.has_perm("courses.manage_all"):
        return True
    return user.has_perm("courses.manage") and user in course.instructors.all()


def find_managed_course(user: Viewer, slug: str) -> Course:
    found = managed(user).filter(slug=slug).first()
    if found is None:
        raise NotFound
    return found


def find_managed_section(user: Viewer, section: uuid.UUID) -> Section:
    found = Section.objects.select_related("course").filter(pk=section, course__in=managed(user)).first()
    if found is None:
        raise NotFound
    return found


def find_managed_lesson(user: Viewer, lesson: uuid.UUID) -> Lesson:
    lessons = Lesson.objects.select_related("section__course").filter(section__course__in=managed(user))
    found = lessons.annotate(duration_s=media.durations()).filter(pk=lesson).first()
    if found is None:
        raise NotFound
    return found


def find_lesson(user: Viewer, lesson: uuid.UUID) -> Lesson:
    """A lesson that the person may open: enrolled and it has opened, a free preview on sale, or staff.

    Raises NotFound where the course itself is not visible, LessonNotOpen where one has it, NotEnrolled (NotAuthenticated for
    nobody in particular) else.
    """
    lessons = Lesson.objects.select_related("section__course").annotate(duration_s=media.durations())
    found = lessons.filter(pk=lesson).first()
    if found is None:
        raise NotFound
    course = found.section.course
    on_sale = course.status == Course.Status.PUBLISHED
    since = running(user).filter(course=course).aggregate(since=Min("started_at"))["since"]
    opening = opens_at(found, since)
    if (found.is_preview and on_sale) or (since and (opening is None or opening <= timezone.now())):
        return found
    if _may_open_all(user, course):
        return found
    if since and opening:
        raise LessonNotOpen(opening)
    if not on_sale:
        raise NotFound
    raise NotEnrolled if isinstance(user, User) else NotAuthenticated


def _may_open_all(user: Viewer, course: Course) -> bool:
    return user.has_perm("media.watch_any") or managed(user).filter(pk=course.pk).exists()


def bundles_on_sale(viewer: Viewer | None = None) -> QuerySet[Bundle]:
    """Published ones whose courses are all on sale, with these in the order of their titles and as `viewer` has them."""
    courses = Course.objects.order_by("title", "slug")
    if viewer is not None:
        courses = courses.annotate(enrolled=enrolled(viewer))
    members = Course.objects.filter(bundles=OuterRef("pk"))
    return Bundle.objects.filter(
        Exists(members), ~Exists(members.exclude(status=Course.Status.PUBLISHED)), status=Bundle.Status.PUBLISHED
    ).prefetch_related(Prefetch("courses", courses))


def held_about(user: User) -> list[sections.Section]:
    """For the person's export: what they teach. The courses themselves are the platform's."""
    taught = sections.rows(
        Course.objects.filter(instructors=user).order_by("pk"), "id", "slug", "title", "status", "created_at"
    )
    return [sections.Section("taught_courses", "Courses that name you as instructor.", taught, ("courses.Course",))]


def sole_instructor_of(user: User) -> list[str]:
    """The slugs of the courses that have no other instructor than this person."""
    through = Course.instructors.through
    others = through.objects.filter(course=OuterRef("pk"), user__is_active=True).exclude(user=user)
    return list(
        Course.objects.filter(~Exists(others), instructors=user).order_by("slug").values_list("slug", flat=True)
    )
