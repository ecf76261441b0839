"""A lock between processes that the kernel releases when its holder dies, however that happens."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def lock_file(path: Path) -> Iterator[bool]:
    """Tries once to hold the lock on `path` while the block runs; gives False if another process or thread has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        held = _locked(descriptor, path)
        try:
            yield held
        finally:
            if held:
                with suppress(OSError):  # Windows removes no open file
                    path.unlink()
    finally:
        os.close(descriptor)


def _locked(descriptor: int, path: Path) -> bool:
    """A file that its last holder removed between our opening and locking it is nobody's lock any more."""
    try:
        _lock(descriptor)
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
