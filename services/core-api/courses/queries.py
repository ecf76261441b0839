"""Which courses and lessons somebody may see or change. What one may not see is answered as if it were not there."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AnonymousUser
from django.db.models import (
    Count,
    Exists,
    FloatField,
    IntegerField,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce

from accounts.models import User
from config.problems import NotAuthenticated, NotFound
from courses.errors import NotEnrolled
from courses.models import Bundle, Course, Lesson, Section
from learning.queries import enrolled, has_access
from media import queries as media
from privacy import sections

Viewer = User | AnonymousUser


def managed(user: Viewer) -> QuerySet[Course]:
    """The courses that the person may change."""
    if user.has_perm("courses.manage_all"):
        return Course.objects.all()
    if isinstance(user, User) and user.has_perm("courses.manage"):
        return Course.objects.filter(
            Exists(Course.instructors.through.objects.filter(course=OuterRef("pk"), user=user))
        )
    return Course.objects.none()


def visible(user: Viewer) -> QuerySet[Course]:
    """Published ones, those that the person has although they are no longer sold, and those that the person may change."""
    return Course.objects.filter(
        Q(status=Course.Status.PUBLISHED) | Q(enrolled(user)) | Q(pk__in=managed(user).values("pk"))
    )


def described(courses: QuerySet[Course], user: Viewer) -> QuerySet[Course]:
    """With what a card in the catalogue shows: lessons_count, duration_s (seconds), enrolled."""
    lessons = Lesson.objects.filter(section__course=OuterRef("pk")).order_by().values("section__course")
    packages = media.current_packages(OuterRef("pk")).order_by().values("lesson__section__course")
    return courses.select_related("category").annotate(
        lessons_count=Coalesce(
            Subquery(lessons.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), Value(0)
        ),
        duration_s=Coalesce(
            Subquery(packages.annotate(s=Sum("duration_s")).values("s"), output_field=FloatField()), Value(0.0)
        ),
        enrolled=enrolled(user),
    )


def with_outline(courses: QuerySet[Course]) -> QuerySet[Course]:
    lessons = Lesson.objects.annotate(duration_s=media.durations()).defer("body")
    return courses.prefetch_related(
        Prefetch("sections", Section.objects.prefetch_related(Prefetch("lessons", lessons))),
    )


def find_course(user: Viewer, slug: str) -> Course:
    """One course as its page shows it. Raises NotFound."""
    return _one(with_outline(described(visible(user), user)).filter(slug=slug))


def find_managed_course(user: Viewer, slug: str) -> Course:
    return _one(managed(user).filter(slug=slug))


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
    """A lesson that the person may open: enrolled, a free preview on sale, or staff.

    Raises NotFound where the course itself is not visible, NotEnrolled (NotAuthenticated for nobody in particular) else.
    """
    lessons = Lesson.objects.select_related("section__course").annotate(duration_s=media.durations())
    found = lessons.filter(pk=lesson).first()
    if found is None:
        raise NotFound
    course = found.section.course
    on_sale = course.status == Course.Status.PUBLISHED
    if (found.is_preview and on_sale) or _may_open_all(user, course) or has_access(user, course):
        return found
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


def _one(courses: QuerySet[Course]) -> Course:
    found = courses.first()
    if found is None:
        raise NotFound
    return found


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
