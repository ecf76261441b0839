"""What a course still needs before it can be published."""

from __future__ import annotations

from collections import defaultdict

from django.db.models import Exists, OuterRef

from courses.models import Course, Lesson, Section
from media.models import Attachment, Package


def gaps(course: Course) -> dict[str, list[str]]:
    """Sentences for the author, by what they are about: a field of the course, `sections` or `lessons`. Empty: complete."""
    missing: dict[str, list[str]] = defaultdict(list, field_gaps(course))
    _outline_gaps(course, missing)
    return dict(missing)


def field_gaps(course: Course) -> dict[str, list[str]]:
    """Those of the course itself, without its outline."""
    missing = {}
    for field in ("title", "summary", "description"):
        if not str(getattr(course, field)).strip():
            missing[field] = [f"The course has no {field}."]
    if course.category_id is None:
        missing["category"] = ["The course has no category."]
    return missing


def _outline_gaps(course: Course, missing: dict[str, list[str]]) -> None:
    playable = Exists(Package.objects.filter(lesson=OuterRef("pk"), is_current=True))
    sections = Section.objects.filter(course=course)
    filled = set()
    for lesson in (
        Lesson.objects.filter(section__in=sections)
        .annotate(playable=playable, has_file=Exists(Attachment.objects.filter(lesson=OuterRef("pk"))))
        .order_by("section", "position")
    ):
        filled.add(lesson.section_id)
        if lesson.kind == Lesson.Kind.VIDEO and not lesson.playable:
            missing["lessons"].append(f'Lesson "{lesson.title}" has no video that is ready.')
        if lesson.kind == Lesson.Kind.ARTICLE and not lesson.body.strip():
            missing["lessons"].append(f'Lesson "{lesson.title}" has no text.')
        if lesson.kind == Lesson.Kind.FILE and not lesson.has_file:
            missing["lessons"].append(f'Lesson "{lesson.title}" has no file.')
    missing_lessons = [f'Section "{s.title}" has no lesson.' for s in sections if s.pk not in filled]
    if missing_lessons or not sections:
        missing["sections"] += missing_lessons or ["The course has no section."]
