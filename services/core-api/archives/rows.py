"""The rows of a course that are made all at once, so that 500 lessons cost as many queries as one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from courses.models import Lesson, Section
from courses.serializers import CourseChange, LessonChange, SectionChange
from media.models import Attachment, Caption, Package, VideoAsset

# What an author may say of each: it is copied and archived. Places are counted anew.
OF_COURSE = list(CourseChange.Meta.fields)
OF_SECTION = [name for name in SectionChange.Meta.fields if name != "position"]
OF_LESSON = ["kind", *(name for name in LessonChange.Meta.fields if name != "position")]


@dataclass
class Rows:
    """Not saved yet; ids are given already."""

    sections: list[Section] = field(default_factory=list)
    lessons: list[Lesson] = field(default_factory=list)
    captions: list[Caption] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    assets: list[VideoAsset] = field(default_factory=list)
    packages: list[Package] = field(default_factory=list)

    def save(self) -> None:
        """In the caller's transaction, parents first."""
        Section.objects.bulk_create(self.sections)
        Lesson.objects.bulk_create(self.lessons)
        Caption.objects.bulk_create(self.captions)
        Attachment.objects.bulk_create(self.attachments)
        VideoAsset.objects.bulk_create(self.assets)
        Package.objects.bulk_create(self.packages)


def said_of(row: Any, names: list[str]) -> dict[str, Any]:
    """The values of these fields, as `do_create_course` and models take them."""
    return {
        name: list(getattr(row, name).all()) if row._meta.get_field(name).many_to_many else getattr(row, name)
        for name in names
    }
