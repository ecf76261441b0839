"""Where posters and attachments lie on disk. A file is written aside, flushed and renamed into its place, and never changed.

<media>/posters/<course>/<content hash>.jpg       public: nginx serves it under that same path
<media>/attachments/<attachment>/<content hash>   handed out by stream-gateway alone, under the name that its row has

Copies of a course name the files of the course that they were made of: a file stays as long as any row names its path,
and some days longer for those who are fetching it (the collector of unused media).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from media.folders import FILE_MODE, flush, make_folder, pieces_of


@dataclass(frozen=True)
class Kept:
    """A file in its place: `path` below the media root, and what it holds."""

    path: str
    size_bytes: int
    sha256: str


def keep_attachment(attachment: uuid.UUID, pieces: Iterable[bytes]) -> Kept:
    """Raises OSError where there is no room."""
    return _keep(Path("attachments") / str(attachment), "", pieces)


def poster_path(course: uuid.UUID, jpeg: bytes) -> str:
    """Below the media root; the content decides the name."""
    return f"posters/{course}/{_name(hashlib.sha256(jpeg).hexdigest())}.jpg"


def keep_poster(course: uuid.UUID, jpeg: bytes) -> Kept:
    return _keep(Path("posters") / str(course), ".jpg", [jpeg])


def drop(path: str) -> None:
    """Removes what was kept for a row that did not come to be."""
    file = Path(settings.MEDIA_ROOT) / path
    file.unlink(missing_ok=True)
    if not any(file.parent.iterdir()):
        file.parent.rmdir()


def check_kept(path: str) -> None:
    """Raises FileNotFoundError."""
    (Path(settings.MEDIA_ROOT) / path).stat()


def read_kept(path: str) -> Iterator[bytes]:
    """The pieces of a file that was kept. Raises FileNotFoundError."""
    return pieces_of((Path(settings.MEDIA_ROOT) / path).open("rb"))


def _name(sha256: str) -> str:
    return sha256[:32]


def _keep(below: Path, suffix: str, pieces: Iterable[bytes]) -> Kept:
    folder = Path(settings.MEDIA_ROOT) / below
    make_folder(folder)
    with _aside(folder) as aside:
        size, sha256 = _write(aside, pieces)
        target = folder / f"{_name(sha256)}{suffix}"
        aside.replace(target)
        flush(folder)
    return Kept((below / target.name).as_posix(), size, sha256)


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    aside = folder / f".{secrets.token_hex(8)}"
    try:
        yield aside
    finally:
        aside.unlink(missing_ok=True)


def _write(file: Path, pieces: Iterable[bytes]) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with file.open("xb") as out:
        for piece in pieces:
            out.write(piece)
            digest.update(piece)
            size += len(piece)
        out.flush()
        file.chmod(FILE_MODE)  # before it is flushed: nginx reads it after a power cut, too
        os.fsync(out.fileno())
    return size, digest.hexdigest()
