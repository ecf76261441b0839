"""Puts the demo's courses into the database, as far as they are not there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from django.db import transaction

from accounts.models import User
from courses.models import Category, Course, Lesson, Section
from media.actions import do_add_video, do_retry, do_set_caption
from media.demo.clips import captions, make_clip
from media.demo.content import COURSES, DemoCourse, DemoLesson
from media.models import VideoAsset
from media.queries import newest_asset

LANGUAGES = ["en", "de"]


def load_courses(instructor: User, say: Callable[[str], None]) -> list[Course]:
    return [_load(course, instructor, say) for course in COURSES]


def _load(described: DemoCourse, instructor: User, say: Callable[[str], None]) -> Course:
    course = Course.objects.filter(slug=described.slug).first() or _add(described, instructor)
    titles = {lesson.title: lesson for lessons in described.sections.values() for lesson in lessons if lesson.picture}
    videos = Lesson.objects.filter(section__course=course, kind=Lesson.Kind.VIDEO, title__in=titles)
    for lesson in videos.order_by("section__position", "position"):
        _add_video(lesson, titles[lesson.title], say)
    return course


@transaction.atomic
def _add(described: DemoCourse, instructor: User) -> Course:
    slug, name = described.category
    course = Course.objects.create(
        slug=described.slug,
        title=described.title,
        summary=described.summary,
        description=described.description,
        price=described.price,
        category=Category.objects.get_or_create(slug=slug, defaults={"name": name})[0],
        level=described.level,
        language=LANGUAGES[0],
    )
    course.instructors.add(instructor)
    for position, (title, lessons) in enumerate(described.sections.items(), 1):
        section = Section.objects.create(course=course, title=title, position=position)
        for place, lesson in enumerate(lessons, 1):
            _add_lesson(section, place, lesson)
    return course


def _add_lesson(section: Section, position: int, described: DemoLesson) -> None:
    Lesson.objects.create(
        section=section,
        position=position,
        title=described.title,
        kind=Lesson.Kind.VIDEO if described.picture else Lesson.Kind.ARTICLE,
        body=described.body,
        is_preview=described.is_preview,
    )


def _add_video(lesson: Lesson, described: DemoLesson, say: Callable[[str], None]) -> None:
    for number, language in enumerate(LANGUAGES):
        if not lesson.captions.filter(language=language).exists():
            do_set_caption(lesson, language, captions(described, number))
    asset = newest_asset(lesson)
    if asset is None:
        say(f'Making the video of "{lesson.title}"')
        with tempfile.TemporaryDirectory(prefix="lectern-demo-") as folder:
            clip = Path(folder) / "clip.mp4"
            make_clip(described, clip)
            do_add_video(lesson, clip)
    elif asset.status == VideoAsset.Status.FAILED:
        do_retry(asset)
