"""Attachments on disk: <root>/<last two digits of the id>/<id>, written aside, flushed, renamed into place, never changed.

A file is in its place before its row is committed, and goes after the row went. What a killed process left between the two
has no row that wants it, and goes within a day (`sweep`).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from django.conf import settings

FOLDER_MODE, FILE_MODE = 0o750, 0o640  # nginx reads as a member of the group
IN_MEMORY = 64 * 1024  # bytes of a body; what is longer waits on the disk
LEFT_AFTER = 24 * 3600.0  # seconds: longer than a request, or than restoring a backup of which the files come first
AT_ONCE = 1000


def root() -> Path:
    return Path(settings.ATTACHMENTS_ROOT)


def place(attachment: uuid.UUID) -> str:
    """Where it lies below the root."""
    return f"{attachment.hex[-2:]}/{attachment}"


def keep(attachment: uuid.UUID, pieces: Iterable[bytes]) -> None:
    """Raises OSError; nothing is left then."""
    target = root() / place(attachment)
    make_folder(target.parent)
    aside = target.with_name(f".{attachment}")
    try:
        with aside.open("xb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        aside.chmod(FILE_MODE)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    _flush(target.parent)


def drop(attachments: Iterable[uuid.UUID]) -> None:
    """Where the disk fails, `sweep` comes back to it."""
    for attachment in attachments:
        with contextlib.suppress(OSError):
            (root() / place(attachment)).unlink()


def spooled() -> IO[bytes]:
    """A nameless file for what is being received: in memory while it is short, else beside the attachments.

    A container's /tmp is a few megabytes of its memory. Raises OSError once it has to be written and cannot.
    """
    folder = root() / ".incoming"
    return _Spooled(folder)


class _Spooled(tempfile.SpooledTemporaryFile[bytes]):
    def __init__(self, folder: Path) -> None:
        super().__init__(IN_MEMORY, dir=str(folder))
        self._folder = folder

    def rollover(self) -> None:
        make_folder(self._folder)
        super().rollover()


def make_folder(folder: Path) -> None:
    """With all its parents, open to the group whatever our umask is."""
    missing = itertools.takewhile(lambda path: not path.exists(), (folder, *folder.parents))
    for path in reversed(list(missing)):
        path.mkdir(exist_ok=True)
        path.chmod(FOLDER_MODE)
        _flush(path.parent)


def sweep(wanted: Callable[[list[uuid.UUID]], set[uuid.UUID]], left_after: float = LEFT_AFTER) -> int:
    """Removes what has lain there for so long and is none of those that `wanted` says of some ids; how many files."""
    removed = 0
    files = _older_than(time.time() - left_after)
    while some := list(itertools.islice(files, AT_ONCE)):
        known = wanted([attachment for attachment in map(_id_of, some) if attachment])
        for file in some:
            if _id_of(file) not in known:
                with contextlib.suppress(FileNotFoundError):  # another process was quicker
                    file.unlink()
                    removed += 1
    return removed


def _older_than(moment: float) -> Iterator[Path]:
    for folder in root().iterdir() if root().is_dir() else ():
        for file in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if file.stat().st_ctime < moment:  # a restored file keeps its mtime
                    yield file


def _id_of(file: Path) -> uuid.UUID | None:
    """None: a file that is being written, or was when its process ended."""
    with contextlib.suppress(ValueError):
        found = uuid.UUID(file.name)
        return found if f"{file.parent.name}/{file.name}" == place(found) else None
    return None


def _flush(folder: Path) -> None:
    """To the disk: which names the folder has."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
