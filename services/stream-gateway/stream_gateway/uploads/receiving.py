"""A request's body, into a file: in small pieces, so that memory does not grow with what is sent."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect

from stream_gateway import problems
from stream_gateway.problems import Problem
from stream_gateway.uploads.files import full_disk_told, in_thread
from stream_gateway.uploads.protocol import Checksum

PIECE = 256 * 1024  # bytes in memory, and at once to the disk
SILENCE = 20.0  # seconds without a byte: the client is gone, and whoever comes back must not find the upload locked


@dataclass(slots=True)
class Chunk:
    """Where a chunk goes. `start` and `end` are offsets in the file at `descriptor`; the body may not go beyond `end`."""

    descriptor: int
    start: int
    end: int
    checksum: Checksum | None = None


async def receive(body: AsyncIterator[bytes], chunk: Chunk) -> int:
    """Writes what comes, and has the disk keep it; the offset after it. Raises Problem: 413, 460, 503, 507.

    Whatever came before a cut, a full disk or a shutdown is kept and counts, unless it has a checksum to be compared with.
    """
    digest = hashlib.new(chunk.checksum.algorithm, usedforsecurity=False) if chunk.checksum else None
    whole = False
    with full_disk_told():  # also where the disk says so when it is asked to keep it
        try:
            reached = await _write(body, chunk, digest)
            if chunk.checksum and digest and digest.digest() != chunk.checksum.digest:
                raise Problem(problems.CHECKSUM_MISMATCH)
            whole = True
            return reached
        except ClientDisconnect as cut:
            raise Problem(problems.UNAVAILABLE) from cut  # nobody hears it
        finally:
            await in_thread(_keep, chunk, whole)


def rewind(descriptor: int, unverified_from: int | None) -> int:
    """The offset of the file, after taking away what was never compared with its checksum."""
    size = os.fstat(descriptor).st_size
    if unverified_from is not None and size > unverified_from:
        os.ftruncate(descriptor, unverified_from)
        return unverified_from
    return size


async def _write(body: AsyncIterator[bytes], chunk: Chunk, digest: Any) -> int:
    reached, waiting = chunk.start, bytearray()
    try:
        while (data := await _next(body)) is not None:
            if reached + len(waiting) + len(data) > chunk.end:
                raise Problem(problems.TOO_LARGE.but(detail="More came than the upload's length and a chunk's allow."))
            waiting += data
            if len(waiting) >= PIECE:
                piece, waiting = waiting, bytearray()
                reached = await in_thread(_put, chunk.descriptor, piece, reached, digest)
    finally:
        if waiting:
            reached = await in_thread(_put, chunk.descriptor, waiting, reached, digest)
    return reached


async def _next(body: AsyncIterator[bytes]) -> bytes | None:
    try:
        async with asyncio.timeout(SILENCE):
            return await anext(body, None)
    except TimeoutError:
        silent = f"No byte came for {SILENCE:.0f} seconds. Ask with HEAD how far the upload is, and go on from there."
        raise Problem(problems.UNAVAILABLE.but(detail=silent)) from None


def _put(descriptor: int, piece: bytearray, at: int, digest: Any) -> int:
    """Writes all of it and gives the offset after it. A full disk takes a part and then raises OSError."""
    if digest:
        digest.update(piece)
    rest = memoryview(piece)
    while rest:
        written = os.pwrite(descriptor, rest, at)
        rest, at = rest[written:], at + written
    return at


def _keep(chunk: Chunk, whole: bool) -> None:
    if chunk.checksum and not whole:
        os.ftruncate(chunk.descriptor, chunk.start)
    try:
        os.fdatasync(chunk.descriptor)
    except OSError:  # a file server without room says it here: what no disk holds is not there
        os.ftruncate(chunk.descriptor, chunk.start)
        raise
