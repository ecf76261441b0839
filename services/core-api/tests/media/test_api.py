"""What authors see of their videos."""

from __future__ import annotations

import pytest

from tests.factories import make_course, make_lesson

pytestmark = pytest.mark.usefixtures("database", "media_root")


def test_ines_sees_how_far_her_video_is_and_retries_it(api, ines):
    lesson = make_lesson(make_course(lessons=0, instructor=ines).sections.get(), kind="video")
    author, path = api.as_(ines), f"/api/v1/lessons/{lesson.id}/video/"
    assert author.get(path).json() == {"status": "none", "progress": 0, "error": ""}
    assert author.post(f"{path}retry/").json()["code"] == "nothing_to_retry"
    lesson.video_assets.create(source="x", status="failed", error="The file is empty.", attempts=1)
    assert author.get(path).json() == {"status": "failed", "progress": 0, "error": "The file is empty."}
    retried = author.post(f"{path}retry/")
    assert (retried.status_code, retried.json()) == (202, {"status": "queued", "progress": 0, "error": ""})
    assert author.post(f"{path}retry/").status_code == 409
