"""Every write of an upload: it begins, grows, ends, expires. All of it may be killed at any point and asked again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import structlog
from psycopg.rows import DictRow
from uuid_utils.compat import uuid7

from stream_gateway import metrics, problems
from stream_gateway.database import Database
from stream_gateway.problems import Problem
from stream_gateway.uploads import records
from stream_gateway.uploads.files import UploadFiles, in_thread
from stream_gateway.uploads.limits import Limits
from stream_gateway.uploads.protocol import LARGEST_CHUNK, Checksum
from stream_gateway.uploads.receiving import Chunk, receive, rewind
from stream_gateway.uploads.records import Upload

RESERVE = 3  # times its size that an upload wants free: for itself, and for the package that is made of it
MOST_AT_ONCE = 100  # uploads of one person that no lesson took; empty ones cost no quota
ORPHANED_AFTER = 3600.0  # seconds: so long a file without a row may have been made by a request that is still running

log = structlog.stdlib.get_logger("stream-gateway")


@dataclass(frozen=True, slots=True)
class State:
    """How far an upload is."""

    upload: Upload
    offset: int
    expires_at: datetime


class Uploads:
    """The uploads of everybody. Each method that takes an `owner` knows nothing of what is not theirs."""

    def __init__(self, database: Database, files: UploadFiles, limits: Limits) -> None:
        self._database = database
        self._files = files
        self.limits = limits

    async def create(self, owner: UUID, size: int, metadata: str) -> State:
        """Raises Problem: 413 beyond the quota, 507 without enough disk left."""
        now = datetime.now(UTC)
        empty = size == 0
        expires_at = now + (self.limits.keep if empty else self.limits.expiry)
        upload = Upload(uuid7(), owner, size, metadata, None, expires_at, now if empty else None)
        async with self._database.transaction() as connection:
            others = await records.held_space(connection)
            self._check_quota([row["size"] for row in others if row["owner"] == owner], size)
            await in_thread(self._check_disk, others, size)
            if empty:  # it is finished, and whoever takes it wants a file
                await in_thread(self._files.create, upload.id)
            await records.insert(connection, upload)
        metrics.UPLOADS.labels("begun").inc()
        return State(upload, 0, expires_at)

    async def look(self, upload_id: UUID, owner: UUID) -> State:
        """Raises Problem 404. One whose last bytes came while the database was away is finished by being looked at."""
        upload = await records.find(self._database, upload_id, owner)
        offset = await in_thread(self._files.size, upload_id)
        if upload.unverified_from is not None:
            offset = min(offset, upload.unverified_from)
        if offset < upload.size or upload.finished_at:
            return State(upload, offset, upload.expires_at)
        async with self._files.held(upload_id) as descriptor:
            upload = await records.find(self._database, upload_id, owner)  # as the request before has left it
            return await self._advance(upload, await in_thread(rewind, descriptor, upload.unverified_from))

    async def append(
        self, upload_id: UUID, owner: UUID, offset: int, body: AsyncIterator[bytes], checksum: Checksum | None
    ) -> State:
        """Raises Problem: 404, 409 at another offset, 413, 423 while another request is at it, 460, 503, 507."""
        await records.find(self._database, upload_id, owner)  # before a file is made
        async with self._files.held(upload_id) as descriptor:
            upload = await records.find(self._database, upload_id, owner)
            there = await in_thread(rewind, descriptor, upload.unverified_from)
            if offset != there:
                raise Problem(problems.OFFSET_CONFLICT.but(headers={"Upload-Offset": str(there)}))
            if checksum or upload.unverified_from is not None:
                await records.mark_unverified(self._database, upload_id, offset if checksum else None)
            end = min(upload.size, offset + LARGEST_CHUNK)
            return await self._advance(upload, await receive(body, Chunk(descriptor, offset, end, checksum)))

    async def end(self, upload_id: UUID, owner: UUID) -> None:
        """Raises Problem: 404, 423."""
        await records.find(self._database, upload_id, owner)
        if not await self._remove(upload_id, expired=False):
            raise Problem(problems.NOT_FOUND)  # it expired, or a lesson took it, this moment
        metrics.UPLOADS.labels("ended").inc()

    async def sweep(self) -> None:
        """Removes what has expired, and files that nobody knows of any more."""
        for upload in await records.expired(self._database):
            await self._sweep_away(upload)
            log.info("upload_expired", upload=str(upload))
        left = await in_thread(lambda: list(self._files.untouched_for(ORPHANED_AFTER)))
        for upload in await records.unknown(self._database, left) if left else []:
            await self._sweep_away(upload)

    async def _advance(self, upload: Upload, reached: int) -> State:
        """Under the file's lock: what the disk has, the row says."""
        whole = reached == upload.size
        if whole:
            await in_thread(self._files.flush_folder)
        expires_at = await records.note_progress(
            self._database, upload, whole=whole, expiry=self.limits.expiry, keep=self.limits.keep
        )
        if whole and not upload.finished_at:
            metrics.UPLOADS.labels("finished").inc()
        return State(replace(upload, unverified_from=None), reached, expires_at)

    async def _sweep_away(self, upload: UUID) -> None:
        try:
            await self._remove(upload, expired=True, wait=False)
        except Problem:  # somebody is at it: the next sweep looks again
            log.debug("upload_busy", upload=str(upload))

    async def _remove(self, upload: UUID, *, expired: bool, wait: bool = True) -> bool:
        """The row first: a file without one is an orphan, a row without a file would promise bytes."""
        async with self._files.held(upload, wait=wait):
            known = await records.delete(self._database, upload, expired=expired)
            if known or await records.unknown(self._database, [upload]):
                await in_thread(self._files.remove, upload)
            return known

    def _check_quota(self, mine: list[int], size: int) -> None:
        if len(mine) >= MOST_AT_ONCE:
            raise Problem(problems.QUOTA_EXCEEDED.but(detail=f"You have {len(mine)} uploads that no lesson uses yet."))
        if sum(mine) + size > self.limits.quota:
            free = max(self.limits.quota - sum(mine), 0)
            detail = (
                f"This upload has {size} bytes, and {free} of your {self.limits.quota} are free: {problems.MAKE_ROOM}"
            )
            raise Problem(problems.QUOTA_EXCEEDED.but(detail=detail))

    def _check_disk(self, others: list[DictRow], size: int) -> None:
        """What was promised to uploads that are still coming is not free any more."""
        promised = sum(RESERVE * row["size"] - self._files.size(row["id"]) for row in others)
        if self._files.free() < RESERVE * size + promised:
            raise Problem(problems.DISK_FULL)
