"""Everything that changes videos, packages and captions."""

from __future__ import annotations

import errno
import uuid
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

import structlog
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from audit.actions import record
from audit.kinds import Kind
from config import jobs
from config.problems import NotFound, Unavailable
from courses.languages import language_label
from courses.models import Lesson
from media import storage
from media.captions import to_webvtt
from media.errors import NothingToRetry, NoVideoLesson
from media.ffmpeg import FfmpegFailed, Stopped
from media.file_actions import NO_ROOM
from media.leftovers import reuse
from media.models import Caption, Package, VideoAsset
from media.packaging import Facts, make_package
from media.probe import Refused
from media.progress import ProgressReport, renew_connection
from media.stores import StoreFailed

MOST_FAILURES = 3
MOST_ATTEMPTS = 10  # those cut off too: a restart is nobody's fault, a video that kills the packager each time is
UNFINISHED = (VideoAsset.Status.QUEUED, VideoAsset.Status.PROCESSING)
DISK_FULL = "The server ran out of disk space. Tell its operator, then retry."
STORE_AWAY = "The storage of packaged videos did not answer. Tell the server's operator, then retry."
GAVE_UP = "Packaging failed three times. Export the video again, for example as MP4 with H.264, and upload that."
CUT_OFF = "Packaging was cut off again and again. The video may need more memory than the server has."
log = structlog.get_logger("lectern.media")


class Outcome(Enum):
    """What came of an attempt to package a video, as far as the queue is concerned."""

    SETTLED = auto()  # packaged, refused or given up
    AGAIN = auto()  # failed or stopped; another attempt may succeed
    BUSY = auto()  # somebody else is at it, and might yet be killed


def do_add_video(lesson: Lesson, file: Path, uploaded_by: User | None = None) -> VideoAsset:
    """Takes a copy of `file` as the lesson's new video and queues its packaging. Whoever watches the old one finishes it.

    Raises NoVideoLesson; OSError where the file cannot be read or kept.
    """
    if lesson.kind != Lesson.Kind.VIDEO:
        raise NoVideoLesson
    asset = VideoAsset(lesson=lesson, uploaded_by=uploaded_by)
    asset.source = storage.keep_source(asset.id, file)
    try:
        with transaction.atomic():
            asset.save(force_insert=True)
            do_queue(asset)
    except BaseException:
        storage.drop_source(asset.id)
        raise
    return asset


def do_retry(asset: VideoAsset, by: User | None = None) -> None:
    """Queues the packaging of a failed video again, with all its attempts before it. Raises NothingToRetry.

    `by`: who asked for it; None: a command.
    """
    with transaction.atomic():
        retried = VideoAsset.objects.filter(pk=asset.pk, status=VideoAsset.Status.FAILED).update(
            status=VideoAsset.Status.QUEUED, progress=0, attempts=0, failures=0, error="", updated_at=timezone.now()
        )
        if not retried:
            raise NothingToRetry
        record(Kind.PACKAGING_RETRIED, actor=by, subject=asset, lesson=str(asset.lesson_id))
        do_queue(asset)


def do_queue(asset: VideoAsset) -> None:
    from media.tasks import package_video  # which imports this module

    jobs.defer(package_video, queueing_lock=f"package:{asset.id}", asset=str(asset.id))


def do_package(asset_id: uuid.UUID) -> Outcome:
    """Makes the package of an asset and makes it the lesson's current one, unless that is done already.

    May be killed at any point and run again, or run twice at once: one package results. What went wrong is told to the
    author by the asset, and to the operator by the log.
    """
    try:
        storage.clear_abandoned()
        with storage.workspace(asset_id) as folder:
            return _package(asset_id, folder) if folder else Outcome.BUSY
    except OSError as error:  # of a full disk, on which not even a folder to work in can be made
        asset = VideoAsset.objects.filter(pk=asset_id, status__in=UNFINISHED).first()
        return _stumble(asset, error) if asset else Outcome.SETTLED


def _package(asset_id: uuid.UUID, folder: Path) -> Outcome:
    asset = _begin(asset_id)
    if asset is None:
        return Outcome.SETTLED
    try:
        path, facts = storage.finished(asset_id) or _make(asset, folder)
        _publish(asset, path, facts)
    except Refused as refusal:
        _fail(asset, str(refusal))
        return Outcome.SETTLED
    except Stopped:
        return _hand_back(asset)
    except (FfmpegFailed, OSError) as error:
        return _stumble(asset, error)
    log.info("video packaged", asset=str(asset_id), lesson=str(asset.lesson_id), duration_s=facts.duration_s)
    return Outcome.SETTLED


def _begin(asset_id: uuid.UUID) -> VideoAsset | None:
    with transaction.atomic():
        asset = VideoAsset.objects.select_for_update().filter(pk=asset_id, status__in=UNFINISHED).first()
        if asset is None:
            return None
        if asset.attempts < MOST_ATTEMPTS:
            asset.attempts += 1
            asset.status, asset.progress, asset.error = VideoAsset.Status.PROCESSING, 0, ""
            asset.save()
            return asset
    _fail(asset, CUT_OFF)
    return None


def _make(asset: VideoAsset, folder: Path) -> tuple[str, Facts]:
    try:
        source = storage.source_path(asset.source)
        with source.open("rb"):
            pass
    except (FileNotFoundError, ValueError):
        raise Refused("The uploaded file is no longer there. Upload it again.") from None
    facts = make_package(source, folder, ProgressReport(asset.pk))
    return storage.put_in_place(asset.pk, folder, facts), facts


def _publish(asset: VideoAsset, path: str, facts: Facts) -> None:
    """The package's row, the switch to it and the asset's state, in one transaction. Older packages stay for their viewers."""
    renew_connection()  # packaging took its time
    with transaction.atomic():
        locked = Lesson.objects.select_for_update().filter(pk=asset.lesson_id, video_assets=asset.pk).first()
        if locked is not None:
            _record(asset, path, facts)
            return
    storage.discard(asset.pk)  # the lesson was deleted meanwhile


def _record(asset: VideoAsset, path: str, facts: Facts) -> None:
    others = Package.objects.filter(lesson=asset.lesson_id)
    newest = not others.filter(is_current=True, asset__created_at__gt=asset.created_at).exists()
    if newest:
        others.filter(is_current=True).update(is_current=False)
    Package.objects.create(
        asset=asset,
        lesson_id=asset.lesson_id,
        path=path,
        duration_s=facts.duration_s,
        width=facts.width,
        height=facts.height,
        size_bytes=facts.size_bytes,
        is_current=newest,
    )
    asset.status, asset.progress, asset.error = VideoAsset.Status.READY, 100, ""
    asset.save(update_fields=["status", "progress", "error", "updated_at"])


def _hand_back(asset: VideoAsset) -> Outcome:
    """To the queue, as if it had not been begun."""
    asset.attempts -= 1
    _queue_again(asset)
    return Outcome.AGAIN


def _queue_again(asset: VideoAsset) -> None:
    renew_connection()
    asset.status, asset.progress = VideoAsset.Status.QUEUED, 0
    asset.save(update_fields=["attempts", "failures", "status", "progress", "updated_at"])


def _stumble(asset: VideoAsset, error: FfmpegFailed | OSError) -> Outcome:
    """Back to the queue, or failed after so many failures."""
    stderr = error.stderr if isinstance(error, FfmpegFailed) else ""
    log.warning(
        "packaging failed", asset=str(asset.pk), attempt=asset.attempts, error=str(error), stderr=stderr[-2000:]
    )
    asset.failures += 1
    _queue_again(asset)
    if asset.failures < MOST_FAILURES:
        return Outcome.AGAIN
    _fail(asset, _reason(error, stderr))
    return Outcome.SETTLED


def _reason(error: FfmpegFailed | OSError, stderr: str) -> str:
    if "No space left on device" in stderr or getattr(error, "errno", None) == errno.ENOSPC:
        return DISK_FULL
    return STORE_AWAY if isinstance(error, StoreFailed) else GAVE_UP


def _fail(asset: VideoAsset, reason: str) -> None:
    with suppress(OSError):  # half an upload; if the store is away, the next attempt removes it
        storage.discard(asset.pk)
    renew_connection()
    VideoAsset.objects.filter(pk=asset.pk).update(
        status=VideoAsset.Status.FAILED, error=reason, updated_at=timezone.now()
    )
    log.warning("video failed", asset=str(asset.pk), lesson=str(asset.lesson_id), reason=reason)


def do_set_caption(lesson: Lesson, language: str, data: bytes, label: str = "") -> Caption:
    """Sets or replaces the lesson's captions in one language from an SRT or WebVTT file.

    Raises NoVideoLesson, CaptionRefused, ValidationError (the language), NotFound, Unavailable. The file of
    the captions before stays for those who are fetching it.
    """
    if lesson.kind != Lesson.Kind.VIDEO:
        raise NoVideoLesson
    caption = Caption(lesson=lesson, language=language, label=label or language_label(language), path="-")
    caption.clean_fields()  # before the language becomes part of a file's name
    text = to_webvtt(data)
    caption.path = storage.caption_path(lesson.pk, language, text)
    with transaction.atomic():
        if not Lesson.objects.select_for_update().filter(pk=lesson.pk).exists():
            raise NotFound  # deleted meanwhile
        reuse(caption.path)
        try:
            storage.keep_caption(caption.path, text)
        except OSError as failure:
            log.warning("caption not kept", lesson=str(lesson.pk), error=str(failure))
            raise (Unavailable() if isinstance(failure, StoreFailed) else Unavailable(NO_ROOM)) from failure
        values = {"label": caption.label, "path": caption.path}
        return Caption.objects.update_or_create(lesson=lesson, language=language, defaults=values)[0]
