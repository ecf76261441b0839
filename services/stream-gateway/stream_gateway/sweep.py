"""Work that something wakes, and the clock in case nothing did. The same text stands in both gateways (ADR 5)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

PAUSE = 0.1  # seconds between two runs, so that many wakings make few of them

log = structlog.get_logger()


class Sweep:
    """Runs `work` at the start, soon after each `wake`, and `every` so many seconds. One that fails is run again then."""

    def __init__(self, name: str, work: Callable[[], Awaitable[object]], every: float) -> None:
        self._name = name
        self._work = work
        self._every = every
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._work()
            except Exception as error:  # whatever it was: the next run must come
                log.warning("sweep_failed", sweep=self._name, exc_info=error)
            await asyncio.sleep(PAUSE)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await self._woken.wait()
