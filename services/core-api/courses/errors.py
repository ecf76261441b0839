"""What this app refuses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from config.problems import Conflict, Forbidden


class NotEnrolled(Forbidden):
    code, title = "not_enrolled", "Not enrolled"
    detail = "This lesson belongs to a course that you do not have."


class LessonNotOpen(Forbidden):
    """One has the course, but the lesson opens later; the body says when in `opens_at`."""

    code, title = "lesson_not_open", "Lesson not open yet"
    detail = "This lesson opens later: `opens_at` says when."

    def __init__(self, opens_at: datetime) -> None:
        super().__init__()
        self.opens_at = opens_at

    def body(self) -> dict[str, Any]:
        return super().body() | {"opens_at": self.opens_at.strftime("%Y-%m-%dT%H:%M:%SZ")}


class CourseIncomplete(Conflict):
    code, title = "course_incomplete", "Course incomplete"
    detail = "The course cannot be published yet: `errors` names what is missing."


class CourseSold(Conflict):
    code, title = "course_sold", "Course in use"
    detail = (
        "People have this course, so it cannot be deleted. Withdraw it from sale instead (POST /courses/<slug>/unpublish/):"
        " those who have it keep it."
    )


class CourseBundled(Conflict):
    code, title = "course_bundled", "Course in a bundle"

    def __init__(self, bundles: list[str]) -> None:
        super().__init__(
            f"These bundles are sold with this course: {', '.join(bundles)}. Have it taken out of them first: else they would "
            "cost the same without it."
        )


class LessonHad(Conflict):
    code, title = "lesson_had", "Lesson in use"
    detail = (
        "People got this course with these lessons, so they cannot be deleted. Change them, replace their videos, or move them"
        " to a section of their own; lessons added since the last enrolment can be deleted."
    )


class OutlineChanged(Conflict):
    code, title = "outline_changed", "Outline changed"
    detail = (
        "The outline does not name what the course has now: `errors` says what differs. Load the course and try again."
    )
