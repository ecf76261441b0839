"""Folders that go with the process that made them; those of processes that were killed go when the next one begins."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

YOUNGEST_S = 3600  # a number of another container's process says nothing here: what is young is left alone


def throwaway(prefix: str) -> Path:
    """A new folder `<prefix><pid>-…` among the temporary files, which this process removes when it ends."""
    _sweep(prefix)
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-"))
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # forks inherit this function
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(prefix: str) -> None:
    if os.name != "posix":
        return  # os.kill(…, 0) would end the process there
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*-*"):
        owner = left.name.removeprefix(prefix).partition("-")[0]
        with suppress(OSError):  # somebody else sweeps, too, or it is not ours to remove
            if owner.isdecimal() and time.time() - left.stat().st_mtime > YOUNGEST_S and not _is_alive(int(owner)):
                shutil.rmtree(left, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's, but there
    return True
