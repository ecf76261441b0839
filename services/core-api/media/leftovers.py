"""Finds and removes the files that nobody refers to any more: of videos that were replaced, of lessons that were deleted.

They stay for a week after the first night that they are noticed: whoever plays an old package finishes it (a playback lasts 12
hours at most), and a database restored from a backup of these days still finds its files.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import structlog
from django.conf import settings
from django.db import ProgrammingError, connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from courses.models import Course
from media.local_store import LocalStore
from media.models import Attachment, Caption, Leftover, Package, VideoAsset
from media.storage import WORK
from media.stores import Store, store

KEPT = timedelta(days=7)
UPLOADS = "uploads:"  # begins what lies below LECTERN_UPLOADS_ROOT
SOURCES = ("imports", "received")  # there; each name is an asset's id
log = structlog.get_logger("lectern.media")


def collect() -> None:
    """Notes what is unused, forgets what is used again, removes what has been unused for a week. May be run again, and at once."""
    unused = set(_unused())
    known = set(Leftover.objects.values_list("path", flat=True))
    Leftover.objects.filter(path__in=known - unused).delete()
    Leftover.objects.bulk_create([Leftover(path=path) for path in sorted(unused - known)], ignore_conflicts=True)
    for path in Leftover.objects.filter(noticed_at__lt=timezone.now() - KEPT).values_list("path", flat=True):
        try:
            _remove(path)
        except OSError as error:  # the store is away: tomorrow
            log.warning("leftover not removed", path=path, error=str(error))


def reuse(path: str) -> None:
    """Before a file is written where one may be about to be removed. Waits for whoever removes it at this moment."""
    Leftover.objects.filter(path=path).delete()


def _unused() -> Iterator[str]:
    needed = {str(asset) for asset in _needed().values_list("pk", flat=True)}
    local = _volume()
    shown = {path.split("/")[1] for path in Package.objects.filter(asset__in=_needed()).values_list("path", flat=True)}
    kept = needed | shown | {WORK}
    yield from (f"packages/{name}" for name in store().children("packages") if name not in kept)
    yield from _unnamed(store(), "captions", Caption.objects.values_list("path", flat=True))
    yield from _unnamed(local, "attachments", Attachment.objects.values_list("path", flat=True))
    yield from _unnamed(local, "posters", Course.objects.exclude(poster="").values_list("poster", flat=True))
    uploads, elsewhere = LocalStore(Path(settings.UPLOADS_ROOT)), needed | _not_taken_yet()
    for folder in SOURCES:
        yield from (f"{UPLOADS}{folder}/{name}" for name in uploads.children(folder) if name not in elsewhere)


def _needed() -> QuerySet[VideoAsset]:
    """What is played, what may come to be, and each lesson's newest, which its author may retry."""
    newer = VideoAsset.objects.filter(lesson=OuterRef("lesson"), created_at__gt=OuterRef("created_at"))
    waiting = Q(status__in=(VideoAsset.Status.QUEUED, VideoAsset.Status.PROCESSING))
    return VideoAsset.objects.filter(waiting | Q(package__is_current=True) | ~Exists(newer))


def _unnamed(where: Store, top: str, named: Iterable[str]) -> Iterator[str]:
    """Among them what somebody was writing, aside, who was killed."""
    known = set(named)
    for folder in where.children(top):
        paths = (f"{top}/{folder}/{name}" for name in where.children(f"{top}/{folder}"))
        yield from (path for path in paths if path not in known)


def _not_taken_yet() -> set[str]:
    """Uploads that are still the stream gateway's, which removes them itself."""
    if connection.vendor != "postgresql":
        return set()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT id FROM stream_published.upload WHERE taken_at IS NULL")
            return {str(found) for (found,) in cursor.fetchall()}
    except ProgrammingError:  # its migrations were not run yet
        return set()


def _volume() -> LocalStore:
    return LocalStore(Path(settings.MEDIA_ROOT))


def _remove(path: str) -> None:
    with transaction.atomic():
        if not Leftover.objects.select_for_update().filter(path=path).exists():
            return  # used again meanwhile, or somebody else was quicker
        if not _forget_asset(path):
            return
        _place_of(path).remove(path.removeprefix(UPLOADS))
        Leftover.objects.filter(path=path).delete()
    log.info("leftover removed", path=path)


def _place_of(path: str) -> Store:
    if path.startswith(UPLOADS):
        return LocalStore(Path(settings.UPLOADS_ROOT))
    return store() if path.startswith(("packages/", "captions/")) else _volume()


def _forget_asset(path: str) -> bool:
    """Deletes the rows of a video before its files; False if it is needed again."""
    top, _, name = path.removeprefix(UPLOADS).partition("/")
    try:
        asset = uuid.UUID(name)
    except ValueError:
        return True
    if top == "packages" and Package.objects.filter(path__startswith=f"{path}/", asset__in=_needed()).exists():
        return False  # a copy of the course shows it
    if top not in {"packages", *SOURCES} or not (
        VideoAsset.objects.select_for_update(of=("self",)).filter(pk=asset).exists()
    ):
        return True
    if _needed().filter(pk=asset).exists():
        return False
    Package.objects.filter(asset=asset).delete()
    VideoAsset.objects.filter(pk=asset).delete()
    return True
