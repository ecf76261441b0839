"""How bytes leave: nginx sends them (X-Accel-Redirect), or this process does, under the same rules (DELIVERY=direct).

aiofiles and not starlette's FileResponse, which answers a bad range as plain text, and never 304: nginx does otherwise, and
clients should not see which of the two served them. (But for several ranges at once, which get all of the file here.)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncIterator
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import aiofiles
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from stream_gateway import problems
from stream_gateway.access import Attachment, Package
from stream_gateway.problems import Problem
from stream_gateway.storage import Storage, stat

LANGUAGE = r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,3}"
IN_PACKAGE = re.compile(
    r"video-[0-9]{1,5}(?:\.m3u8|-init\.mp4|-[0-9]{5}\.m4s)|audio(?:\.m3u8|-init\.mp4|-[0-9]{5}\.m4s)"
    r"|progressive\.mp4|poster\.jpg|sprites\.vtt|sprites-[0-9]{3}\.jpg"
)
CAPTIONS = re.compile(rf"captions-({LANGUAGE})\.(vtt|m3u8)")
SAFE_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
A_TYPE = re.compile(r"[a-z]+/[A-Za-z0-9.+-]+")

TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".vtt": "text/vtt; charset=utf-8",
    ".jpg": "image/jpeg",
}
CHANGING = {".m3u8", ".vtt"}
KEEP = "private, max-age=3600"  # a package's files never change
ASK_AGAIN = "private, no-store"
CHUNK = 256 * 1024
AT_LEAST = 1_000_000  # bytes/s of a progressive MP4
TIMES_BITRATE = 4  # so that seeking and starting stay quick

ONE_RANGE = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))")


HEADERS = {  # of a file that nginx sends, by its suffix
    suffix: [
        (b"content-type", kind.encode()),
        (b"cache-control", (ASK_AGAIN if suffix in CHANGING else KEEP).encode()),
        (b"content-length", b"0"),
    ]
    for suffix, kind in TYPES.items()
}


class Delivery:
    """Answers with a file below the media root, for somebody who was found to be allowed to have it."""

    def __init__(self, mode: Literal["accel", "direct"], media_root: Path, storage: Storage) -> None:
        self._mode = mode
        self._root = media_root
        self._storage = storage

    async def send(self, request: Request, path: str, *, limit_rate: int | None = None) -> Response:
        """`path` is below the media root and made of ids and matched names. Raises Problem: 404, 416 (direct only)."""
        suffix = _known(path)
        headers = {"Content-Type": TYPES[suffix], "Cache-Control": ASK_AGAIN if suffix in CHANGING else KEEP}
        if self._mode == "direct":
            return await _direct(request, self._root / path, headers)
        if limit_rate is not None:
            headers["X-Accel-Limit-Rate"] = str(limit_rate)
        return Response(headers=headers | {"X-Accel-Redirect": self._storage.accel(path)})

    async def download(self, request: Request, file: Attachment) -> Response:
        """An attachment, to be saved and never shown: it is foreign content on the admin site's origin.

        Raises Problem: 404, 416 (direct only).
        """
        if not SAFE_PATH.fullmatch(file.path):
            raise Problem(problems.NOT_FOUND)
        headers = {
            "Content-Type": file.content_type if A_TYPE.fullmatch(file.content_type) else "application/octet-stream",
            "Content-Disposition": disposition(file.name),
            "Cache-Control": "private, no-cache",
            "Content-Security-Policy": "sandbox",  # nginx says this and the next by itself
            "X-Content-Type-Options": "nosniff",
        }
        if self._mode == "direct":
            return await _direct(request, self._root / file.path, headers)
        return Response(headers=headers | {"X-Accel-Redirect": f"/_media/{file.path}"})

    def headers(self, path: str) -> list[tuple[bytes, bytes]]:
        """Those of `send`'s answer, for nginx to send the file. Raises Problem 404."""
        return [*HEADERS[_known(path)], (b"x-accel-redirect", self._storage.accel(path).encode())]

    async def progressive(self, request: Request, package: Package) -> Response:
        """The MP4, at a rate that keeps one answer from outliving a refund by much."""
        path = f"{package.path}/progressive.mp4"
        size = await self._storage.size(path)
        rate = max(AT_LEAST, round(TIMES_BITRATE * size / max(package.duration_s, 1)))
        return await self.send(request, path, limit_rate=rate)


def disposition(name: str) -> str:
    """RFC 6266: the name as it is for who reads `filename*` (RFC 8187), and something like it for who does not."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9 ._()+-]", "_", plain).strip() or "file"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _known(path: str) -> str:
    """The suffix of a path that may be sent. Raises Problem 404."""
    suffix = path[path.rfind(".") :]
    if not SAFE_PATH.fullmatch(path) or suffix not in TYPES:
        raise Problem(problems.NOT_FOUND)
    return suffix


async def _direct(request: Request, file: Path, headers: dict[str, str]) -> Response:
    about = await stat(file)
    etag = f'"{about.st_mtime_ns:x}-{about.st_size:x}"'
    modified = formatdate(about.st_mtime, usegmt=True)
    headers |= {"ETag": etag, "Last-Modified": modified, "Accept-Ranges": "bytes"}
    if _unchanged(request.headers, etag, about.st_mtime):
        return Response(status_code=304, headers=headers)
    size, status, span = about.st_size, 200, (0, about.st_size)
    if request.headers.get("if-range", etag) in (etag, modified) and (wanted := _range(request.headers, size)):
        status, span = 206, wanted
        headers["Content-Range"] = f"bytes {span[0]}-{span[1] - 1}/{size}"
    headers["Content-Length"] = str(span[1] - span[0])
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(_read(file, *span), status, headers)


def _range(headers: Headers, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; None: send it all, as for several ranges or a malformed one. Raises Problem 416."""
    match = ONE_RANGE.fullmatch(headers.get("range", "").replace(" ", ""))
    if not match:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        begin, end = max(size - int(suffix), 0), size
    else:
        begin, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < begin:
            return None
    if begin >= end:
        raise Problem(problems.RANGE_NOT_SATISFIABLE.but(headers={"Content-Range": f"bytes */{size}"}))
    return begin, end


def _unchanged(headers: Headers, etag: str, modified: float) -> bool:
    if (known := headers.get("if-none-match")) is not None:
        return known.strip() == "*" or etag in [tag.strip().removeprefix("W/") for tag in known.split(",")]
    try:
        return int(modified) <= parsedate_to_datetime(headers["if-modified-since"]).timestamp()
    except (KeyError, ValueError):
        return False


async def _read(file: Path, begin: int, end: int) -> AsyncIterator[bytes]:
    async with aiofiles.open(file, "rb") as source:
        await source.seek(begin)
        while begin < end and (chunk := await source.read(min(CHUNK, end - begin))):
            begin += len(chunk)
            yield chunk
