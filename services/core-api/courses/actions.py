"""Everything that changes courses. Each change of an outline holds the course's row, so that they come one by one."""

from __future__ import annotations

from collections.abc import Iterable
from secrets import token_hex
from typing import Any, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, transaction
from django.db.models import Exists, Max, OuterRef, ProtectedError, Q, QuerySet
from django.utils import timezone
from django.utils.text import slugify

from accounts.models import User
from config.problems import Invalid, NotFound
from courses.completeness import field_gaps, gaps
from courses.errors import CourseBundled, CourseIncomplete, CourseSold, LessonHad
from courses.models import ONE_END, Course, Lesson, Section, Tag
from learning.models import Enrolment

Part = TypeVar("Part", Section, Lesson)
SLUG_TRIES = 50
RESERVED = {"import"}  # POST /courses/import/ is no course's address


def do_create_course(author: User, *, slug: str = "", tags: Iterable[Tag] = (), **fields: Any) -> Course:
    """A draft that `author` teaches. Without a slug one is made of the title. Raises Invalid for a slug that is taken."""
    for candidate in [slug] if slug else _slugs(fields["title"]):
        if candidate in RESERVED:
            continue
        try:
            with transaction.atomic():
                course = Course.objects.create(slug=candidate, **fields)
                course.tags.set(tags)
                course.instructors.add(author)
            return course
        except IntegrityError:
            if not Course.objects.filter(slug=candidate).exists():
                raise
    raise Invalid(errors={"slug": ["Another course has that address. Choose another."]})


def _slugs(title: str) -> list[str]:
    """The last one is free: titles without a Latin letter are all "course", and are not refused for it when there are fifty."""
    base = slugify(title)[:70].strip("-") or "course"
    return [base, *(f"{base}-{number}" for number in range(2, SLUG_TRIES)), f"{base}-{token_hex(4)}"]


def do_update_course(course: Course, *, tags: Iterable[Tag] | None = None, **fields: Any) -> None:
    """Raises CourseIncomplete where a course on sale would lack what it needs to be, Invalid for two ends of access."""
    with transaction.atomic():
        course = hold(course)
        for name, value in fields.items():
            setattr(course, name, value)
        # somebody else set the other one meanwhile
        if course.access_days is not None and course.access_until is not None:
            raise Invalid(errors={"access_days": [ONE_END]})
        if course.status == Course.Status.PUBLISHED and (missing := field_gaps(course)):
            raise CourseIncomplete("The course is on sale and needs this: take it off sale first.", errors=missing)
        course.save(update_fields=fields.keys())
        if tags is not None:
            course.tags.set(tags)


def do_publish(course: Course) -> None:
    """Puts the course on sale. Raises CourseIncomplete naming each gap."""
    with transaction.atomic():
        course = hold(course)
        if course.status == Course.Status.PUBLISHED:
            return
        if missing := gaps(course):
            raise CourseIncomplete(errors=missing)
        course.status = Course.Status.PUBLISHED
        course.published_at = course.published_at or timezone.now()
        course.save(update_fields=["status", "published_at"])


def do_unpublish(course: Course) -> None:
    """Takes the course off sale. Whoever has it keeps it; one that nobody has is a draft again."""
    with transaction.atomic():
        course = hold(course)
        if course.status == Course.Status.PUBLISHED:
            course.status = Course.Status.WITHDRAWN if _is_sold(course) else Course.Status.DRAFT
            course.save(update_fields=["status"])


def do_delete_course(course: Course) -> None:
    """Erases a course that nobody ever had and that is in no bundle. Raises CourseSold, CourseBundled otherwise."""
    with transaction.atomic():
        course = hold(course)  # nobody can be enrolled until this ends, and no bundle gets it
        if _is_sold(course):
            raise CourseSold
        if bundles := list(course.bundles.order_by("slug").values_list("slug", flat=True)):
            raise CourseBundled(bundles)
        _hold_lessons(Lesson.objects.filter(section__course=course))
        try:
            course.delete()
        except ProtectedError as error:
            raise CourseSold from error


def _is_sold(course: Course) -> bool:
    return course.enrolments.exists() or course.order_lines.exists()


def do_add_section(course: Course, *, title: str, position: int | None = None) -> Section:
    with transaction.atomic():
        course = hold(course)
        section = Section(course=course, title=title, position=_next_position(course.sections.all()))
        section.save(force_insert=True)
        _move(section, course.sections.all(), position)
    return section


def do_update_section(section: Section, *, position: int | None = None, **fields: Any) -> None:
    with transaction.atomic():
        course = hold_course_of(section)
        _change(section, course.sections.all(), position, fields)


def do_delete_section(section: Section) -> None:
    """With its lessons. Raises LessonHad if somebody has one of them."""
    with transaction.atomic():
        course = hold_course_of(section)
        _check_nobody_has(section.lessons.all())
        section.delete()
        renumber(course.sections.all())


def do_add_lesson(section: Section, *, position: int | None = None, **fields: Any) -> Lesson:
    with transaction.atomic():
        hold_course_of(section)
        lesson = Lesson(section=section, position=_next_position(section.lessons.all()), **fields)
        _check_opens_in_one_way(lesson)
        lesson.save(force_insert=True)
        _move(lesson, section.lessons.all(), position)
    return lesson


def do_update_lesson(lesson: Lesson, *, position: int | None = None, **fields: Any) -> None:
    with transaction.atomic():
        hold_course_of(lesson)
        _change(lesson, lesson.section.lessons.all(), position, fields)


def do_delete_lesson(lesson: Lesson) -> None:
    """Raises LessonHad if somebody has it."""
    with transaction.atomic():
        hold_course_of(lesson)
        _check_nobody_has(Lesson.objects.filter(pk=lesson.pk))
        siblings = lesson.section.lessons.all()
        lesson.delete()
        renumber(siblings)


def renumber(parts: QuerySet[Part]) -> None:
    """Makes positions count 1, 2, 3 … in the order that they have."""
    _number(list(parts))


def _change(part: Part, siblings: QuerySet[Part], position: int | None, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        setattr(part, name, value)
    if isinstance(part, Lesson):
        _check_opens_in_one_way(part)
    part.save(update_fields=fields.keys())
    _move(part, siblings, position)


def _move(part: Part, siblings: QuerySet[Part], position: int | None) -> None:
    if position is None:
        return
    others = [sibling for sibling in siblings if sibling.pk != part.pk]
    others.insert(position - 1, part)
    _number(others)


def _number(parts: list[Part]) -> None:
    for position, part in enumerate(parts, 1):
        if part.position != position:
            part.position = position
            part.save(update_fields=["position"])


def _next_position(siblings: QuerySet[Any]) -> int:
    highest: int | None = siblings.aggregate(highest=Max("position"))["highest"]
    return (highest or 0) + 1


def hold(course: Course) -> Course:
    """The course as it is now, its row locked until the transaction ends. Raises NotFound if it was deleted meanwhile."""
    held = Course.objects.select_for_update().filter(pk=course.pk).first()
    if held is None:
        raise NotFound
    return held


def hold_course_of(part: Section | Lesson) -> Course:
    """As `hold`; and the section or lesson is read again, which may have been moved or deleted meanwhile."""
    course = hold((part.section if isinstance(part, Lesson) else part).course)
    try:
        part.refresh_from_db()
    except ObjectDoesNotExist as error:
        raise NotFound from error
    return course


def _check_opens_in_one_way(lesson: Lesson) -> None:
    if [lesson.is_preview, lesson.opens_on is not None, lesson.opens_after_days is not None].count(True) > 1:
        sentence = (
            "A lesson is a free preview, or opens on a day, or days after enrolment: take one, set the others to null."
        )
        raise Invalid(errors={"opens_on": [sentence]})


def had(lessons: QuerySet[Lesson]) -> list[str]:
    """The titles of those that were there when somebody got the course who still has it: they are theirs."""
    lasting = Q(valid_until=None) | Q(valid_until__gt=timezone.now())
    enrolments = Enrolment.objects.filter(
        lasting, course=OuterRef("section__course"), ended_at=None, started_at__gte=OuterRef("created_at")
    )
    return list(lessons.filter(Exists(enrolments)).values_list("title", flat=True))


def _check_nobody_has(lessons: QuerySet[Lesson]) -> None:
    """Holds them, too."""
    _hold_lessons(lessons)
    if titles := had(lessons):
        raise LessonHad(errors={"lessons": [f'"{title}"' for title in titles]})


def _hold_lessons(lessons: QuerySet[Lesson]) -> None:
    """Lets a package that is being recorded for one of them be seen, and deleted, with it."""
    list(lessons.order_by("pk").select_for_update(of=("self",)).values_list("pk"))
