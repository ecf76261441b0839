"""Folders and files that another user, nginx, may read, and that outlast a power cut."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

FOLDER_MODE = 0o755
FILE_MODE = 0o644
PIECE = 1 << 20  # bytes read at a time


def make_folder(folder: Path) -> None:
    """With all its parents, readable for nginx whatever our umask is."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        path.chmod(FOLDER_MODE)
        flush(path.parent)


def flush(path: Path) -> None:
    """To the disk: a folder's entries, or a file's content."""
    if os.name == "nt":  # which opens no folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def pieces_of(file: IO[bytes]) -> Iterator[bytes]:
    """Its content, and closes it."""
    with file:
        while piece := file.read(PIECE):
            yield piece
