"""Facts to publish, and a listener for what is notified."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests import environment

if TYPE_CHECKING:
    from accounts.models import User
    from courses.models import Course, Lesson
    from media.models import Package


@dataclass
class Published:
    course: Course
    lesson: Lesson
    package: Package


@pytest.fixture
def lathe(database: None) -> Published:
    """A published course with one packaged lesson and captions."""
    from courses.models import Course, Lesson, Section
    from media.models import Caption, Package, VideoAsset

    course = Course.objects.create(slug="lathe", title="The lathe", price=10, status="published")
    section = Section.objects.create(course=course, title="First", position=1)
    lesson = Lesson.objects.create(section=section, title="Safety", position=1)
    asset = VideoAsset.objects.create(lesson=lesson, source="up/1", status="ready", progress=100)
    package = Package.objects.create(
        asset=asset, lesson=lesson, path="packages/a/b", duration_s=12.5, width=1280, height=720, size_bytes=1000
    )
    Package.objects.filter(pk=package.pk).update(is_current=True)
    Caption.objects.create(lesson=lesson, language="de", label="Deutsch", path="captions/x.vtt")
    return Published(course, lesson, package)


@pytest.fixture
def enrol(database: None) -> Callable[..., object]:
    from learning.models import Enrolment

    def make(user: User, course: Course, **fields: object) -> Enrolment:
        return Enrolment.objects.create(user=user, course=course, **{"source": "grant"} | fields)

    return make


@pytest.fixture
def heard(committed_db: str) -> Iterator[Callable[[], list[str]]]:
    """`heard()` gives the payloads of `access_changed` since it was last asked, as a gateway gets them."""
    address = environment.database_address("stream", committed_db)
    with closing(psycopg.connect(address, autocommit=True)) as connection:
        connection.execute("LISTEN access_changed")

        def ask() -> list[str]:
            # A notification of our own ends the wait: PostgreSQL delivers in the order of commits.
            connection.execute("NOTIFY access_changed, 'end'")
            payloads = []
            for notification in connection.notifies(timeout=5):
                if notification.payload == "end":
                    return payloads
                payloads.append(notification.payload)
            raise AssertionError("not even our own notification came back")

        yield ask
