"""Uploads on disk: received/<id> below LECTERN_UPLOADS_ROOT. Names are ids, never what a client said.

An upload's offset is its file's size, so nothing can say more than is there. Who changes a file holds the kernel's lock on
it, which ends with its process, however that ends.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar
from uuid import UUID

from stream_gateway import problems
from stream_gateway.problems import Problem

FOLDER = "received"
FOLDER_MODE, FILE_MODE = 0o2770, 0o660  # core-api and its packager share the group
PATIENCE = 2.0  # seconds for a request before to let go: one that was cut off is just writing down what came
LOOK_EVERY = 0.05  # seconds
THREADS = ThreadPoolExecutor(8, "uploads")  # their own: a disk that hangs under uploads must not keep viewers waiting
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """asyncio.to_thread, in THREADS; cancelled, it waits for the thread, which uses a descriptor that its caller closes next."""
    task = asyncio.get_running_loop().run_in_executor(THREADS, partial(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


@contextmanager
def full_disk_told() -> Iterator[None]:
    """Problem 507 for the error of a disk that has no room: for bytes, for another file, or for us."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            raise Problem(problems.DISK_FULL) from error
        raise


class UploadFiles:
    """The folder of uploads."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def size(self, upload: UUID) -> int:
        """Bytes that are there; 0 without a file."""
        try:
            return self._path(upload).stat().st_size
        except FileNotFoundError:
            return 0

    def free(self) -> int:
        """Bytes of disk that are left."""
        self._make_folder()
        return shutil.disk_usage(self._folder).free

    def create(self, upload: UUID) -> None:
        os.close(self._open(upload))

    def remove(self, upload: UUID) -> None:
        self._path(upload).unlink(missing_ok=True)

    def flush_folder(self) -> None:
        """So that a new file's name survives a power cut, too."""
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def untouched_for(self, seconds: float) -> Iterator[UUID]:
        """The uploads whose file nobody wrote to for so long. Files with other names are not ours."""
        before = time.time() - seconds
        with suppress(FileNotFoundError):
            for entry in os.scandir(self._folder):
                with suppress(ValueError, FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_mtime < before:
                        yield UUID(entry.name)

    @asynccontextmanager
    async def held(self, upload: UUID, *, wait: bool = True) -> AsyncIterator[int]:
        """The file's descriptor, with the lock on it; made if there is none. Raises Problem: 423, 507."""
        deadline = time.monotonic() + (PATIENCE if wait else 0)
        while (descriptor := self._try_to_hold(upload)) is None:  # not in a thread: cancelled, it would keep the lock
            if time.monotonic() > deadline:
                raise Problem(problems.UPLOAD_BUSY)
            await asyncio.sleep(LOOK_EVERY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _try_to_hold(self, upload: UUID) -> int | None:
        descriptor = self._open(upload)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), self._path(upload).stat()):
                return descriptor
        except (BlockingIOError, FileNotFoundError):  # held by another request; removed since we opened it
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    @full_disk_told()
    def _open(self, upload: UUID) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path(upload), flags, FILE_MODE)
        except FileNotFoundError:
            self._make_folder()
            descriptor = os.open(self._path(upload), flags, FILE_MODE)
        if os.fstat(descriptor).st_mode & 0o777 != FILE_MODE:  # the umask's doing
            os.fchmod(descriptor, FILE_MODE)
        return descriptor

    def _path(self, upload: UUID) -> Path:
        return self._folder / str(upload)

    def _make_folder(self) -> None:
        if not self._folder.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._folder.chmod(FOLDER_MODE)
