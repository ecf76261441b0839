"""Packages and captions on the local volume, which nginx reads."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from media.folders import FILE_MODE, flush, make_folder, pieces_of
from media.packaging import FACTS, Facts
from media.stores import facts_of


class LocalStore:
    """A package is renamed into its place when all of it is on the disk, so that it is there whole or not at all.

    The order, which tests/media/test_power_loss.py holds: each file's content and mode (packaging._seal), the folder's entries, the
    rename, the entries of the folders above it; only then the row that refers to it is committed (actions._publish).
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, folder: Path, path: str) -> None:
        target = self._root / path
        make_folder(target.parent)
        flush(folder)
        self.remove(path)  # not a whole package, or it had been found
        folder.rename(target)
        for parent in (target.parent, target.parent.parent):
            flush(parent)

    def finished(self, path: str) -> tuple[str, Facts] | None:
        for name in sorted(self.children(path)):
            if facts := read_facts(self._root / path / name):
                return f"{path}/{name}", facts
        return None

    def write(self, path: str, data: bytes) -> None:
        target = self._root / path
        make_folder(target.parent)
        aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            with aside.open("xb") as file:
                file.write(data)
                file.flush()
                aside.chmod(FILE_MODE)  # before it is flushed: nginx reads it after a power cut, too
                os.fsync(file.fileno())
            aside.replace(target)
            flush(target.parent)
        finally:
            aside.unlink(missing_ok=True)

    def read(self, path: str) -> Iterator[bytes]:
        return pieces_of((self._root / path).open("rb"))

    def remove(self, path: str) -> None:
        target = self._root / path
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)

    def children(self, path: str) -> list[str]:
        folder = self._root / path
        return [each.name for each in folder.iterdir()] if folder.is_dir() else []


def read_facts(folder: Path) -> Facts | None:
    """The facts of the finished package in `folder`; None if it is not one, or not all of it is there."""
    try:
        text = (folder / FACTS).read_bytes()
        return facts_of(text, {file.name: file.stat().st_size for file in folder.iterdir()})
    except OSError:
        return None
