"""What one process holds open, opened and closed in one place."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, Request

from stream_gateway import erasure
from stream_gateway.access import Playback
from stream_gateway.database import Database
from stream_gateway.delivery import Delivery
from stream_gateway.freshness import ChangeListener, YesCache
from stream_gateway.manifest import Masters
from stream_gateway.sessions import LastSeen
from stream_gateway.settings import Settings
from stream_gateway.sweep import Sweep
from stream_gateway.verifier import TokenVerifier


class Gateway:
    """The parts that requests use."""

    def __init__(self, settings: Settings, verifier: TokenVerifier | None = None) -> None:
        self.settings = settings
        self.database = Database(settings.database_url)
        self.verifier = verifier or TokenVerifier(settings.jwks_url)
        self.playing: YesCache[Playback] = YesCache()
        self.erasures = Sweep("erasures", lambda: erasure.erase_pending(self.database), settings.erasure_sweep)
        self.listener = ChangeListener(settings.database_url, [self.playing], lambda _user: self.erasures.wake())
        self.delivery = Delivery(settings.delivery, settings.media_root)
        self.masters = Masters(settings.media_root)
        self.last_seen = LastSeen(self.database)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Gateway]:
        """Opens the pool and begins to listen and to fetch keys; ends all of it afterwards."""
        await self.database.open()
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(self.listener.run(), name="access_changed"),
            asyncio.create_task(self.verifier.keep_fresh(), name="keys"),
            asyncio.create_task(self.erasures.run(), name="erasures"),
        ]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)
            await self.last_seen.settle()
            await self.database.close()


def _of(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


TheGateway = Annotated[Gateway, Depends(_of)]
