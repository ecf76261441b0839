"""Where packages, captions and sources lie, and how a package gets into its place whole or not at all.

<media>/packages/<asset>/<content hash>/    finished packages, never changed
<media>/packages/.work/<asset>/<attempt>/   one being made; `<asset>.lock` beside it is held by who makes it
<media>/captions/<lesson>/<language>-<hash>.vtt
<uploads>/imports/<asset>/<file>            sources
<uploads>/received/<upload>                 those that came by upload, written by stream-gateway; ours once they are taken

<media> is LECTERN_MEDIA_ROOT, or a bucket (media/stores.py); what is being made is always below LECTERN_MEDIA_ROOT.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from media.folders import FILE_MODE, flush, make_folder
from media.locks import lock_file
from media.packaging import Facts
from media.stores import store

WORK = ".work"  # below packages


def _work() -> Path:
    return Path(settings.MEDIA_ROOT) / "packages" / WORK


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
    make_folder(_work())
    with lock_file(_work() / f"{asset}.lock") as held:
        if not held:
            yield None
            return
        folder = _work() / str(asset) / secrets.token_hex(4)
        try:
            shutil.rmtree(folder.parent, ignore_errors=True)  # of somebody who was killed
            make_folder(folder)
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
    """The package that was put into place for `asset`, as (path below the media root, facts)."""
    return store().finished(_packages(asset))


def put_in_place(asset: uuid.UUID, folder: Path, facts: Facts) -> str:
    """Puts the sealed `folder` where it stays; answers that path below the media root. Survives a power cut."""
    path = f"{_packages(asset)}/{facts.content_hash}"
    store().put(folder, path)
    return path


def discard(asset: uuid.UUID) -> None:
    """Removes every package of an asset that is no more, whole or half."""
    store().remove(_packages(asset))


def keep_source(asset: uuid.UUID, file: Path) -> str:
    """Copies `file` to the uploads; answers its path there. Nothing of it is left if that fails."""
    suffix = file.suffix.lower() if file.suffix[1:].isalnum() else ""
    target = Path(settings.UPLOADS_ROOT) / "imports" / str(asset) / f"source{suffix}"
    make_folder(target.parent)
    try:
        shutil.copyfile(file, target)
        target.chmod(FILE_MODE)
        flush(target)
        flush(target.parent)
    except BaseException:
        shutil.rmtree(target.parent, ignore_errors=True)
        raise
    return target.relative_to(settings.UPLOADS_ROOT).as_posix()


def drop_source(asset: uuid.UUID) -> None:
    shutil.rmtree(Path(settings.UPLOADS_ROOT) / "imports" / str(asset), ignore_errors=True)


def caption_path(lesson: uuid.UUID, language: str, text: str) -> str:
    """Below the media root; the content decides the name."""
    return f"captions/{lesson}/{language}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.vtt"


def keep_caption(path: str, text: str) -> None:
    store().write(path, text.encode())


def _packages(asset: uuid.UUID) -> str:
    return f"packages/{asset}"
