"""What an import puts on the disk before its rows are committed, written down first: whoever is killed half-way leaves a list.

<media>/.imports/<course>.json   the folders that are that import's own; `<course>.lock` beside it is held by who imports
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from django.conf import settings
from django.db import Error
from django.db.models import Q

from courses.models import Course
from media.folders import flush, make_folder
from media.locks import lock_file
from media.models import Attachment, Caption, Package
from media.stores import StoreFailed, store

log = structlog.get_logger("lectern.archives")
LOCAL = ("attachments/", "posters/")  # all else is in the store


@contextmanager
def journal(course: uuid.UUID, folders: list[str]) -> Iterator[None]:
    """While the block runs, `folders` (below the media root) are its own: they go unless the course is there afterwards."""
    entry = _folder() / f"{course}.json"
    make_folder(entry.parent)
    with lock_file(entry.with_suffix(".lock")):
        aside = entry.with_suffix(".new")
        with aside.open("w", encoding="utf-8") as file:
            json.dump(folders, file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(entry)
        flush(entry.parent)
        try:
            yield
        except BaseException:
            _settle(entry)
            raise
        entry.unlink()


def clear_abandoned() -> None:
    """Removes what killed imports left."""
    for entry in _folder().glob("*.json"):
        with lock_file(entry.with_suffix(".lock")) as held:
            if held and entry.exists():
                _settle(entry)
    for aside in _folder().glob("*.new"):
        with lock_file(aside.with_suffix(".lock")) as held:
            if held:
                aside.unlink(missing_ok=True)


def _settle(entry: Path) -> None:
    """The database decides: a commit whose answer was lost may have succeeded. While it is away, the list stays."""
    try:
        if not Course.objects.filter(pk=uuid.UUID(entry.stem)).exists():
            for folder in json.loads(entry.read_text(encoding="utf-8")):
                _remove(folder)
        entry.unlink()
    except (Error, StoreFailed) as error:
        log.warning("files of an import not cleared yet", course=entry.stem, error=str(error))


def _remove(folder: str) -> None:
    below = f"{folder}/"
    named = Q(path__startswith=below)
    if any(model.objects.filter(named).exists() for model in (Attachment, Caption, Package)):  # by a copy of the course
        return
    if folder.startswith(LOCAL):
        shutil.rmtree(Path(settings.MEDIA_ROOT) / folder, ignore_errors=True)
    else:
        store().remove(folder)


def _folder() -> Path:
    return Path(settings.MEDIA_ROOT) / ".imports"
