"""What was uploaded to stream-gateway becomes a lesson's video (deploy/contracts.md, `stream_published`). PostgreSQL only."""

from __future__ import annotations

import uuid

from django.db import ProgrammingError, connection, transaction

from accounts.models import User
from audit.actions import record
from audit.kinds import Kind
from config.problems import NotFound, Unavailable
from courses.models import Lesson
from media.actions import do_queue
from media.errors import NoVideoLesson, UploadUnfinished, UploadUsed
from media.models import VideoAsset

RECEIVED = "received"  # below LECTERN_UPLOADS_ROOT


def do_take_upload(lesson: Lesson, upload: uuid.UUID, by: User) -> VideoAsset:
    """Makes a finished upload of `by` the lesson's new video and queues its packaging; the same again answers the same.

    Taking it, its asset and the job are one transaction: killed at any point, all of it happened or nothing. The file stays
    where it is; from the commit on it is ours. The asset has the upload's id, so that no upload becomes two.
    Raises NoVideoLesson, NotFound (also where the lesson was deleted meanwhile), UploadUnfinished, UploadUsed, Unavailable.
    """
    if lesson.kind != Lesson.Kind.VIDEO:
        raise NoVideoLesson
    if connection.vendor != "postgresql":  # and so no gateway that anything could have been uploaded to
        raise NotFound
    try:
        with transaction.atomic():
            if not Lesson.objects.select_for_update().filter(pk=lesson.pk).exists():
                raise NotFound
            return _make(lesson, upload, by) if _take(upload, by) else _made_before(lesson, upload, by)
    except ProgrammingError as error:  # the gateway's migrations were not run yet
        raise Unavailable from error


def _take(upload: uuid.UUID, by: User) -> bool:
    """Waits for somebody who takes the same at this moment."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT stream_published.take_upload(%s, %s)", [upload, by.pk])
        return bool(cursor.fetchone()[0])


def _make(lesson: Lesson, upload: uuid.UUID, by: User) -> VideoAsset:
    asset = VideoAsset(id=upload, lesson=lesson, uploaded_by=by, source=f"{RECEIVED}/{upload}")
    asset.save(force_insert=True)
    record(Kind.VIDEO_SET, actor=by, subject=lesson, upload=str(upload))
    do_queue(asset)
    return asset


def _made_before(lesson: Lesson, upload: uuid.UUID, by: User) -> VideoAsset:
    asset = VideoAsset.objects.filter(pk=upload, uploaded_by=by).first()
    if asset is None:
        raise UploadUnfinished if _is_under_way(upload, by) else NotFound
    if asset.lesson_id != lesson.pk:
        raise UploadUsed
    return asset


def _is_under_way(upload: uuid.UUID, by: User) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM stream_published.upload WHERE id = %s AND owner = %s AND finished_at IS NULL",
            [upload, by.pk],
        )
        return bool(cursor.fetchone()[0])
