"""Where packages, captions and sources lie on disk, and how a package gets into its place whole or not at all.

<media>/packages/<asset>/<content hash>/    finished packages, never changed
<media>/packages/.work/<asset>/<attempt>/   one being made; `<asset>.lock` beside it is held by who makes it
<media>/captions/<lesson>/<language>-<hash>.vtt
<uploads>/imports/<asset>/<file>            sources that came by `manage.py add_video`
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from media.locks import lock_file
from media.packaging import Facts, read_facts

FOLDER_MODE = 0o755  # nginx, another user, reads them
FILE_MODE = 0o644


def _work() -> Path:
    return Path(settings.MEDIA_ROOT) / "packages" / ".work"


def source_path(source: str) -> Path:
    """The file of an asset's `source`. Raises ValueError if that leads out of the uploads."""
    root = Path(settings.UPLOADS_ROOT).resolve()
    path = (root / source).resolve()
    if not path.is_relative_to(root):
        raise ValueError(f"{source!r} is not below the uploads")
    return path


@contextmanager
def workspace(asset: uuid.UUID) -> Iterator[Path | None]:
    """An empty folder to make the package of `asset` in; None if somebody makes it at this moment. Removed at the end."""
    _make_folder(_work())
    with lock_file(_work() / f"{asset}.lock") as held:
        if not held:
            yield None
            return
        folder = _work() / str(asset) / secrets.token_hex(4)
        try:
            shutil.rmtree(folder.parent, ignore_errors=True)  # of somebody who was killed
            _make_folder(folder)
            yield folder
        finally:
            shutil.rmtree(folder.parent, ignore_errors=True)


def clear_abandoned() -> None:
    """Removes what killed packagers left of packages that nobody makes any more."""
    for lock in _work().glob("*.lock"):
        with lock_file(lock) as held:
            if held:
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)


def finished(asset: uuid.UUID) -> tuple[str, Facts] | None:
    """The package that was renamed into place for `asset`, as (path below the media root, facts)."""
    for folder in sorted(_packages(asset).glob("[0-9a-f]*")):
        if facts := read_facts(folder):
            return _below_media(folder), facts
    return None


def put_in_place(asset: uuid.UUID, folder: Path, facts: Facts) -> str:
    """Renames the sealed `folder` to where it stays; answers that path below the media root. Survives a power cut."""
    target = _packages(asset) / facts.content_hash
    _make_folder(target.parent)
    _flush(folder)
    folder.rename(target)
    _flush(target.parent)
    _flush(target.parent.parent)
    return _below_media(target)


def discard(asset: uuid.UUID) -> None:
    """Removes every package of an asset that is no more."""
    shutil.rmtree(_packages(asset), ignore_errors=True)


def keep_source(asset: uuid.UUID, file: Path) -> str:
    """Copies `file` to the uploads; answers its path there. Nothing of it is left if that fails."""
    suffix = file.suffix.lower() if file.suffix[1:].isalnum() else ""
    target = Path(settings.UPLOADS_ROOT) / "imports" / str(asset) / f"source{suffix}"
    _make_folder(target.parent)
    try:
        shutil.copyfile(file, target)
        target.chmod(FILE_MODE)
    except BaseException:
        shutil.rmtree(target.parent, ignore_errors=True)
        raise
    return target.relative_to(settings.UPLOADS_ROOT).as_posix()


def drop_source(asset: uuid.UUID) -> None:
    shutil.rmtree(Path(settings.UPLOADS_ROOT) / "imports" / str(asset), ignore_errors=True)


def keep_caption(lesson: uuid.UUID, language: str, text: str) -> str:
    """Writes a WebVTT file under a name that its content decides; answers its path below the media root."""
    data = text.encode()
    name = f"{language}-{hashlib.sha256(data).hexdigest()[:16]}.vtt"
    target = Path(settings.MEDIA_ROOT) / "captions" / str(lesson) / name
    _make_folder(target.parent)
    aside = target.with_name(f".{name}.{secrets.token_hex(4)}")
    try:
        aside.write_bytes(data)
        aside.chmod(FILE_MODE)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return _below_media(target)


def _packages(asset: uuid.UUID) -> Path:
    return Path(settings.MEDIA_ROOT) / "packages" / str(asset)


def _below_media(path: Path) -> str:
    return path.relative_to(settings.MEDIA_ROOT).as_posix()


def _make_folder(folder: Path) -> None:
    """With all its parents, readable for nginx whatever our umask is."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        path.chmod(FOLDER_MODE)


def _flush(folder: Path) -> None:
    if os.name == "nt":  # which opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
