"""An upload becomes a lesson's video, once; over what stream-gateway publishes."""

from __future__ import annotations

import json
import uuid
from base64 import b64encode
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from accounts.models import User
from audit.models import Event
from courses.models import Lesson
from media import api as api_of_media
from media import leftovers
from media.models import Leftover, VideoAsset
from media.uploads import do_take_upload
from published.queries import held_about
from tests import environment
from tests.factories import make_course, make_lesson
from tests.threads import at_once

pytestmark = pytest.mark.postgres

# As deploy/contracts.md has them. stream-gateway's own tests hold the real ones to the same page.
STREAM = """
CREATE TABLE stream.upload (id uuid, owner uuid, size bigint, finished_at timestamptz, taken_at timestamptz,
    created_at timestamptz DEFAULT now(), metadata text);
CREATE VIEW stream_published.upload AS SELECT * FROM stream.upload;
CREATE VIEW stream_published.playback_session AS SELECT NULL::uuid AS playback_id, NULL::uuid AS user_id, NULL::uuid AS lesson_id,
    NULL AS kind, now() AS started_at, now() AS last_seen_at, now() AS ended_at, NULL AS end_reason,
    NULL::inet AS client_address, NULL AS user_agent, 0 AS active_s WHERE false;
CREATE FUNCTION stream_published.take_upload(upload_id uuid, owner uuid) RETURNS bool LANGUAGE sql SECURITY DEFINER AS $$
    WITH taken AS (UPDATE stream.upload u SET taken_at = now()
                    WHERE u.id = $1 AND u.owner = $2 AND taken_at IS NULL AND finished_at IS NOT NULL RETURNING 1)
    SELECT EXISTS (SELECT FROM taken) $$;
GRANT SELECT ON ALL TABLES IN SCHEMA stream_published TO lectern_core;
"""


class Uploads:
    """What people uploaded, as the gateway knows it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        connection.execute(STREAM)

    def of(self, person: User, *, finished: bool = True) -> uuid.UUID:
        number = uuid.uuid4()
        self.connection.execute(
            "INSERT INTO stream.upload (id, owner, size, finished_at, metadata) VALUES (%s, %s, 5, %s, %s)",
            [number, person.pk, "now" if finished else None, f"filename {b64encode(b'My film.mp4').decode()}"],
        )
        return number

    def taken(self, number: uuid.UUID) -> bool:
        row = self.connection.execute("SELECT taken_at FROM stream.upload WHERE id = %s", [number]).fetchone()
        return row is not None and row[0] is not None


@pytest.fixture
def uploads(committed_db):
    with psycopg.connect(environment.database_address("stream_owner", committed_db), autocommit=True) as connection:
        yield Uploads(connection)


def video_lesson(ines: User, slug: str = "lathe"):
    return make_lesson(make_course(slug, lessons=0, instructor=ines).sections.get(), kind="video")


def queued(lesson) -> int:
    from procrastinate.contrib.django.models import ProcrastinateJob

    ids = [str(number) for number in lesson.video_assets.values_list("pk", flat=True)]
    return ProcrastinateJob.objects.filter(task_name="media.package_video", args__asset__in=ids).count()


def test_an_upload_becomes_the_video_once_however_often_it_is_sent(uploads, api, ines):
    lesson, number = video_lesson(ines), uploads.of(ines)
    author, path = api.as_(ines), f"/api/v1/lessons/{lesson.id}/video/"
    answers = [author.post(path, {"upload": str(number)}) for _ in range(3)]
    for answer in answers:
        assert (answer.status_code, answer.json()) == (202, {"status": "queued", "progress": 0, "error": ""})
    asset = VideoAsset.objects.get(lesson=lesson)
    assert (asset.pk, asset.source, asset.uploaded_by_id) == (number, f"received/{number}", ines.pk)
    assert (queued(lesson), uploads.taken(number)) == (1, True)
    assert Event.objects.get(kind="video_set").detail == {"upload": str(number)}


def test_sent_by_many_at_once_it_is_one_video(uploads, ines):
    lesson, number = video_lesson(ines), uploads.of(ines)
    made = at_once(5, lambda _: do_take_upload(lesson, number, ines).pk)
    assert made == [number] * 5
    assert (VideoAsset.objects.count(), queued(lesson)) == (1, 1)


def test_only_ones_own_whole_uploads_are_taken(uploads, api, ines, alice):
    lesson, other = video_lesson(ines), video_lesson(ines, "plane")
    author, path = api.as_(ines), f"/api/v1/lessons/{lesson.id}/video/"
    foreign, partial, used = uploads.of(alice), uploads.of(ines, finished=False), uploads.of(ines)
    assert author.post(f"/api/v1/lessons/{other.id}/video/", {"upload": str(used)}).status_code == 202
    for number, expected in (
        (uuid.uuid4(), (404, "not_found")),
        (foreign, (404, "not_found")),
        (partial, (409, "upload_unfinished")),
        (used, (409, "upload_used")),
        ("../../etc/passwd", (422, "invalid")),
    ):
        answer = author.post(path, {"upload": str(number)})
        assert (answer.status_code, answer.json()["code"]) == expected
    article = make_lesson(lesson.section, 2, kind="article")
    mine = uploads.of(ines)
    refused = author.post(f"/api/v1/lessons/{article.id}/video/", {"upload": str(mine)})
    assert refused.json()["code"] == "not_a_video_lesson"
    assert [uploads.taken(each) for each in (foreign, partial, mine)] == [False] * 3


def test_a_queue_that_fails_leaves_the_upload_as_it_was(uploads, ines, monkeypatch):
    lesson, number = video_lesson(ines), uploads.of(ines)
    monkeypatch.setattr("media.uploads.do_queue", None)
    with pytest.raises(TypeError):
        do_take_upload(lesson, number, ines)
    assert (VideoAsset.objects.count(), uploads.taken(number)) == (0, False)


def test_files_of_taken_uploads_are_cores_to_remove_and_others_are_not(uploads, ines, settings, tmp_path):
    settings.UPLOADS_ROOT, settings.MEDIA_ROOT = tmp_path, tmp_path / "media"
    (tmp_path / "received").mkdir()
    kept, waiting, deleted = uploads.of(ines), uploads.of(ines, finished=False), uploads.of(ines)
    for number in (kept, waiting, deleted):
        (tmp_path / "received" / str(number)).write_bytes(b"video")
    do_take_upload(video_lesson(ines), kept, ines)
    gone = video_lesson(ines, "plane")
    do_take_upload(gone, deleted, ines)
    gone.delete()
    leftovers.collect()
    Leftover.objects.update(noticed_at=timezone.now() - timedelta(days=8))
    leftovers.collect()
    assert {file.name for file in (tmp_path / "received").iterdir()} == {str(kept), str(waiting)}


def test_without_the_gateways_migrations_it_is_not_possible_now(committed_db, api, ines):
    path = f"/api/v1/lessons/{video_lesson(ines).id}/video/"
    assert api.as_(ines).post(path, {"upload": str(uuid.uuid4())}).json()["code"] == "unavailable"


def test_a_persons_export_has_their_uploads_and_the_names_they_gave_them(uploads, ines, alice):
    number = uploads.of(ines)
    uploads.of(alice)
    rows = next(list(part.rows) for part in held_about(ines) if getattr(part, "name", "") == "stream/uploads")
    assert [(row["id"], row["size"], row["said_filename"]) for row in rows] == [(number, 5, "My film.mp4")]
    assert json.dumps(rows, default=str)


def test_a_lesson_that_is_deleted_at_this_moment_leaves_the_upload_as_it_was(uploads, api, ines, monkeypatch):
    lesson, number = video_lesson(ines), uploads.of(ines)
    found = api_of_media.find_managed_lesson

    def found_and_deleted(*arguments):
        there = found(*arguments)
        Lesson.objects.filter(pk=there.pk).delete()
        return there

    monkeypatch.setattr(api_of_media, "find_managed_lesson", found_and_deleted)
    answer = api.as_(ines).post(f"/api/v1/lessons/{lesson.id}/video/", {"upload": str(number)})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert not uploads.taken(number)
