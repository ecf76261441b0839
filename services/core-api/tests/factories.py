"""Courses as authors make them, for tests that are about something else."""

from __future__ import annotations

from courses.models import Category, Course, Lesson, Section
from learning.models import Enrolment
from media.models import Package, VideoAsset


def make_course(slug="baking", *, sections=1, lessons=2, instructor=None, **fields):
    """A published course of articles, its very first lesson a free preview."""
    category = Category.objects.get_or_create(slug="food", defaults={"name": "Food"})[0]
    described = {"title": slug.title(), "summary": "Bread.", "description": "All about bread.", "category": category}
    course = Course.objects.create(slug=slug, **described | {"price": 40, "status": Course.Status.PUBLISHED} | fields)
    if instructor:
        course.instructors.add(instructor)
    for number in range(1, sections + 1):
        section = Section.objects.create(course=course, title=f"Part {number}", position=number)
        for place in range(1, lessons + 1):
            make_lesson(section, place, is_preview=number == place == 1)
    return course


def make_lesson(section, position=1, kind=Lesson.Kind.ARTICLE, **fields):
    described = {"title": f"Lesson {position}", "body": "# Flour" if kind == Lesson.Kind.ARTICLE else ""}
    return Lesson.objects.create(section=section, position=position, kind=kind, **described | fields)


def lessons_of(course):
    return list(Lesson.objects.filter(section__course=course).order_by("section__position", "position"))


def make_package(lesson, duration_s=8.0, is_current=True):
    """The rows of a packaged video, without its files."""
    asset = VideoAsset.objects.create(lesson=lesson, source="imports/x/source.mp4", status=VideoAsset.Status.READY)
    return Package.objects.create(
        asset=asset,
        lesson=lesson,
        path=f"packages/{asset.id}/0123456789abcdef",
        duration_s=duration_s,
        width=640,
        height=360,
        size_bytes=1000,
        is_current=is_current,
    )


def grant(user, course, **fields):
    return Enrolment.objects.create(user=user, course=course, source=Enrolment.Source.GRANT, **fields)
