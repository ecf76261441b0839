"""What one process holds open, opened and closed in one place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, Request

from stream_gateway import erasure, logs, retention
from stream_gateway.access import Playback
from stream_gateway.database import Database
from stream_gateway.delivery import Delivery
from stream_gateway.freshness import ChangeListener, YesCache
from stream_gateway.sessions import LastSeen
from stream_gateway.settings import Settings
from stream_gateway.storage import ObjectStorage, Storage, Volume
from stream_gateway.sweep import Sweep
from stream_gateway.uploads.actions import Uploads
from stream_gateway.uploads.files import UploadFiles
from stream_gateway.verifier import TokenVerifier

UPLOADS_EVERY = 60.0  # seconds between looks for uploads that have expired


class Gateway:
    """The parts that requests use."""

    def __init__(self, settings: Settings, verifier: TokenVerifier | None = None) -> None:
        self.settings = settings
        self.database = Database(settings.database_url)
        self.verifier = verifier or TokenVerifier(settings.jwks_url)
        self.playing: YesCache[Playback] = YesCache()
        days = settings.playback_audit_days
        self.forgetting = Sweep("forgetting", lambda: retention.forget_old(self.database, days), retention.EVERY)
        self.erasures = Sweep("erasures", self._erase, settings.erasure_sweep)
        self.listener = ChangeListener(settings.database_url, [self.playing], lambda _user: self.erasures.wake())
        self.storage: Storage = (
            ObjectStorage(settings.bucket, settings.s3_ca_bundle) if settings.bucket else Volume(settings.media_root)
        )
        self.delivery = Delivery(settings.delivery, settings.media_root, self.storage)
        self.last_seen = LastSeen(self.database)
        self.uploads = Uploads(self.database, UploadFiles(settings.uploads_root), settings.upload_limits)
        self.expiries = Sweep("uploads", self.uploads.sweep, UPLOADS_EVERY)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Gateway]:
        """Opens the pool and begins to listen and to fetch keys; ends all of it afterwards."""
        await self.database.open()
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(self.listener.run(), name="access_changed"),
            asyncio.create_task(self.verifier.keep_fresh(), name="keys"),
            asyncio.create_task(self.erasures.run(), name="erasures"),
            asyncio.create_task(self.forgetting.run(), name="forgetting"),
            asyncio.create_task(self.expiries.run(), name="expiries"),
        ]
        try:
            yield self
        finally:
            await _end(tasks)
            await self.last_seen.settle()
            logs.LINES.write()
            await self.database.close()

    async def _erase(self) -> None:
        if await erasure.erase_pending(self.database):
            self.expiries.wake()  # their uploads ended, and their files go


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancels until all have ended: psycopg waits by Python 3.11's wait_for, which loses a cancellation now and then."""
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=0.5)


def _of(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


TheGateway = Annotated[Gateway, Depends(_of)]
