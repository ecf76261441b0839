"""A copy of a course: what its author made, never what learners did. Files are shared, since none of them ever changes."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Model, QuerySet

from accounts.models import User
from archives.rows import OF_COURSE, OF_LESSON, OF_SECTION, Rows, said_of
from config.ids import uuid7
from courses.actions import do_create_course, hold
from courses.models import Course, Lesson, Section
from media.models import Attachment, Caption, Package, VideoAsset

Row = TypeVar("Row", bound=Model)
LONGEST_TITLE = 200


def do_duplicate(
    course: Course, author: User, *, title: str = "", slug: str = "", number: UUID | None = None
) -> Course:
    """A draft that `author` teaches, with the course's poster, outline, captions, attachments and videos that are ready.

    A video that is still being packaged is left out; the gap is named when the copy is published. With a `number` for its id the
    copy is made once, however often it is asked for. Raises Invalid for a slug
    that is taken, NotFound if the course went meanwhile.
    """
    with transaction.atomic():
        course = hold(course)  # its outline stays as it is until this ends
        if number and (made := Course.objects.filter(pk=number).first()):
            return made
        said = said_of(course, OF_COURSE) | {"title": title or _copy_of(course.title), "id": number or uuid7()}
        copy = do_create_course(author, slug=slug, **said)
        Course.objects.filter(pk=copy.pk).update(poster=course.poster)
        copied_rows(course, copy).save()
        return copy


def copied_rows(course: Course, copy: Course) -> Rows:
    rows = Rows()
    sections: dict[Any, Section] = {}
    for section in Section.objects.filter(course=course):
        sections[section.pk] = Section(course=copy, position=section.position, **said_of(section, OF_SECTION))
    lessons: dict[Any, Lesson] = {}
    for lesson in Lesson.objects.filter(section__course=course):
        said = said_of(lesson, OF_LESSON)
        lessons[lesson.pk] = Lesson(section=sections[lesson.section_id], position=lesson.position, **said)
    rows.sections, rows.lessons = list(sections.values()), list(lessons.values())
    of_course = {"lesson__section__course": course}
    rows.captions = [_moved(row, lessons) for row in Caption.objects.filter(**of_course)]
    rows.attachments = [_moved(row, lessons) for row in Attachment.objects.filter(**of_course)]
    _copy_videos(rows, Package.objects.filter(is_current=True, **of_course).select_related("asset"), lessons)
    return rows


def _copy_videos(rows: Rows, packages: QuerySet[Package], lessons: dict[Any, Lesson]) -> None:
    for package in packages:
        asset: VideoAsset = _moved(package.asset, lessons)
        rows.assets.append(asset)
        copy = _moved(package, lessons)
        copy.asset = asset
        rows.packages.append(copy)


def _moved(row: Row, lessons: dict[Any, Lesson]) -> Row:
    """A new row that says the same of the copied lesson."""
    fields = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    del fields["id"]  # the copy gets one of its own
    fields["lesson_id"] = lessons[fields["lesson_id"]].pk
    return type(row)(**fields)


def _copy_of(title: str) -> str:
    return f"{title[: LONGEST_TITLE - 7]} (copy)"
