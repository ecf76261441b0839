"""Where packages and captions lie: below LECTERN_MEDIA_ROOT, or in a bucket (MEDIA_STORAGE). nginx fetches them from either.

What this process reads itself is little, and remembered, since a package never changes: its master playlist, and how large
its MP4 is. Everything else it only names.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from email.message import Message
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from stat import S_ISREG
from typing import IO, Any, Protocol, TypeVar

import aiofiles

from stream_gateway import problems
from stream_gateway.problems import Problem
from stream_gateway.s3 import Bucket

REMEMBERED = 1000  # packages
TIMEOUT = 3.0  # seconds
LONGEST = 1_000_000  # bytes of a master playlist

T = TypeVar("T")


class Storage(Protocol):
    def accel(self, path: str) -> str:
        """The value of X-Accel-Redirect for a path that was matched before (delivery.py)."""

    async def size(self, path: str) -> int:
        """Bytes of a package's file. Raises Problem: 404, 503."""

    async def text(self, path: str) -> str:
        """A package's text file. Raises Problem: 404, 503."""


class Volume:
    """A folder that nginx reads, too."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._texts: dict[str, str] = {}

    def accel(self, path: str) -> str:
        return f"/_media/{path}"

    async def size(self, path: str) -> int:
        return (await stat(self._root / path)).st_size

    async def text(self, path: str) -> str:
        return await _remembered(self._texts, path, self._read)

    async def _read(self, path: str) -> str:
        try:
            async with aiofiles.open(self._root / path, encoding="utf-8") as file:
                return await file.read()
        except FileNotFoundError as error:
            raise Problem(problems.NOT_FOUND) from error


class ObjectStorage:
    """A bucket. nginx is given the path with the signed part of its address; the host is nginx's own to know."""

    def __init__(self, bucket: Bucket, authorities: Path | None = None) -> None:
        """`authorities`: the file of those that an https store is checked by; None: the system's."""
        self._bucket = bucket
        checked = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authorities))
        self._opener = urllib.request.build_opener(_NoRedirects, checked)
        self._sizes: dict[str, int] = {}
        self._texts: dict[str, str] = {}

    def accel(self, path: str) -> str:
        return f"/_s3/{path}?{self._bucket.query(path)}"

    async def size(self, path: str) -> int:
        async def ask(path: str) -> int:
            headers, _ = await asyncio.to_thread(self._fetch, self._bucket.url(path, "HEAD"), "HEAD")
            return int(headers["Content-Length"])

        return await _remembered(self._sizes, path, ask)

    async def text(self, path: str) -> str:
        async def ask(path: str) -> str:
            _, content = await asyncio.to_thread(self._fetch, self._bucket.url(path), "GET")
            return content.decode()

        return await _remembered(self._texts, path, ask)

    def _fetch(self, url: str, method: str) -> tuple[Message, bytes]:
        try:
            with self._opener.open(urllib.request.Request(url, method=method), timeout=TIMEOUT) as answer:  # noqa: S310  the operator's S3_ENDPOINT_URL
                content = answer.read(LONGEST)
                if answer.length:  # read() of so many bytes says nothing when fewer come
                    raise IncompleteRead(content, answer.length)
                return answer.headers, content
        except urllib.error.HTTPError as error:
            raise Problem(problems.NOT_FOUND if error.code in (403, 404) else problems.UNAVAILABLE) from error
        except (OSError, HTTPException) as error:
            raise Problem(problems.UNAVAILABLE) from error


async def stat(file: Path) -> os.stat_result:
    """Of a file that is one. Raises Problem 404."""
    try:
        about = await asyncio.to_thread(file.stat)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Problem(problems.NOT_FOUND) from error
    if not S_ISREG(about.st_mode):
        raise Problem(problems.NOT_FOUND)
    return about


async def _remembered(known: dict[str, T], path: str, ask: Callable[[str], Awaitable[T]]) -> T:
    if path not in known:
        answer = await ask(path)
        if len(known) >= REMEMBERED:
            known.clear()
        known[path] = answer
    return known[path]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The configured store is asked, and nobody that it names."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        return None
