"""Whatever the serving process holds open. Opened and closed by `running`, found by sockets in their scope's state."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import Error as DjangoDatabaseError
from django.db import connections

from realtime import metrics
from realtime.desk_feed import DeskFeed
from realtime.freshness import ChangeListener, YesCache
from realtime.hints import Hints
from realtime.hub import Hub
from realtime.store import OUTAGE, Store
from realtime.sweep import Sweep
from realtime.verifier import Claims
from tickets import assignment, attachments, erasure, events, idle, mails, scanning
from tickets.authentication import verifier
from tickets.people import Person

SWEEP_EVERY = 5.0  # seconds
SCAN_EVERY = 1.0
CLEAN_UP_EVERY = 600.0
MAIL_EVERY = 20.0  # or four times as often as a message has to be unread
IDLE_EVERY = 300.0
RESTART_AFTER = 1.0  # seconds
DRAIN_RATE = 100  # sockets closed a second, so that they do not all come back at once
DRAIN_WITHIN = 10.0  # seconds, however many they are
FINISH_WITHIN = 5.0  # seconds more for what is being committed, as long as a statement may take

log = structlog.get_logger()
assign_waiting = database_sync_to_async(assignment.assign_waiting, thread_sensitive=False)
erase_pending = database_sync_to_async(erasure.erase_pending, thread_sensitive=False)
scan_waiting = database_sync_to_async(scanning.scan_waiting, thread_sensitive=False)
mail_unread = database_sync_to_async(mails.sweep, thread_sensitive=False)
close_idle = database_sync_to_async(idle.sweep, thread_sensitive=False)
clean_up_attachments = database_sync_to_async(attachments.clean_up, thread_sensitive=False)


def discard_broken_connections() -> None:
    """All of REST's at once; finding them one by one, psycopg's pool pauses for 1, 2, 4 … s between two of them."""
    if pool := connections["default"].pool:  # type: ignore[attr-defined]  # PostgreSQL's wrapper has one
        pool.check()


class Runtime:
    def __init__(self) -> None:
        self.verifier = verifier
        self.origins = frozenset([settings.PUBLIC_URL, *settings.ALLOWED_ORIGINS])
        self.store = Store(settings.DATABASE_URL)
        self.hub = Hub(self.store)
        self.hints = Hints(settings.REDIS_URL, self.hub.hint, self.sweep) if settings.REDIS_URL else None
        if self.hints:
            self.hub.tell_others = self.hints.tell
        self.desks = DeskFeed()
        self.hub.tell_desks = self.desks.heard
        self.people: YesCache[Person] = YesCache()
        self.changes = ChangeListener(settings.DATABASE_URL, [self.people], self._access_changed)
        self.erasures = Sweep("erasures", erase_pending, settings.ERASURE_SWEEP)
        self.housekeeping = Sweep("housekeeping", self._keep_house, SWEEP_EVERY)
        self.draining = False

    def _access_changed(self, user: str) -> None:
        """By core's notification; or (empty) the listener is connected anew, so PostgreSQL may have been restarted."""
        self.hub.access_changed(user)
        self.erasures.wake()
        self.hub.spawn(self._assign_anew(user))
        if not user:
            self.hub.spawn(asyncio.to_thread(discard_broken_connections))

    async def _assign_anew(self, user: str) -> None:
        """Soon, if what somebody answers may be another; most of those whose access shrinks are learners."""
        if not user or await self.store.answers_tickets(uuid.UUID(user)):
            self.housekeeping.wake()

    async def person(self, claims: Claims, *, arriving: bool = False) -> Person | None:
        """The person behind verified claims, or None where the token counts no more. From the cache for moments."""
        key = (claims.user, claims.generation, claims.session)
        return await self.people.get(key, lambda: self.store.person(claims, arriving=arriving))

    async def not_ready(self) -> str | None:
        """What this process lacks to serve, or None. Redis is no part of that: without it only latency suffers."""
        if self.draining:
            return "stopping"
        if not self.verifier.ready:
            return "no public keys yet"
        try:
            await self.store.ping()
        except OUTAGE:
            return "the database does not answer"
        return None

    async def sweep(self) -> None:
        """Makes up for what was not heard of."""
        self.desks.wake()
        await self.hub.sweep()
        metrics.HINTS_CONNECTED.set(bool(self.hints and self.hints.connected))

    async def _keep_house(self) -> None:
        """Agents with an open socket are there; waiting tickets find an agent, those of absent ones another."""
        try:
            if agents := self.hub.agents():
                await self.store.renew_leases(agents, assignment.LEASE)
            await assign_waiting()
            await self.store.delete_stale_connect_tickets()
        except (*OUTAGE, DjangoDatabaseError):
            assignment.give_time_to_return()

    async def mail(self) -> None:
        """Whoever is away, here and elsewhere, is told of what they have not read."""
        await mail_unread(self.hub.looking(), settings.MAIL_AFTER)

    async def drain(self) -> None:
        """Not ready any more; closes every socket with 1012, many of them spread over some seconds.

        Each is closed once its commit is acknowledged. uvicorn, whose turn is next, waits for no such thing.
        """
        self.draining = True
        sockets = self.hub.sockets()
        pause = min(1 / DRAIN_RATE, DRAIN_WITHIN / max(len(sockets), 1))
        retiring = []
        for socket in sockets:
            retiring.append(self.hub.spawn(socket.retire()))
            await asyncio.sleep(pause)
        if retiring:
            await asyncio.wait(retiring, timeout=FINISH_WITHIN)


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Runtime]:
    """Opens what is needed and keeps it going; nothing has to be reachable yet."""
    runtime = Runtime()
    assignment.give_time_to_return()
    await runtime.store.open()
    unsubscribe = events.subscribe(runtime.hub.announce_from_thread)
    work: list[Callable[[], Awaitable[None]]] = [
        runtime.verifier.keep_fresh,
        runtime.changes.run,
        lambda: _repeat(runtime.sweep),
        runtime.desks.run,
        runtime.housekeeping.run,
        runtime.erasures.run,
        Sweep("attachments", clean_up_attachments, CLEAN_UP_EVERY).run,
        Sweep("mails", runtime.mail, min(MAIL_EVERY, settings.MAIL_AFTER.total_seconds() / 4)).run,
    ]
    if settings.IDLE_AFTER:
        work.append(Sweep("idle", lambda: close_idle(settings.IDLE_AFTER), IDLE_EVERY).run)
    if settings.CLAMAV_ADDRESS:
        work.append(Sweep("scans", scan_waiting, SCAN_EVERY).run)
    if runtime.hints:
        work += [runtime.hints.listen_forever, runtime.hints.publish_forever]
    else:
        log.warning("without_redis", detail="REDIS_URL is not set: run one chat process only")
    tasks = [asyncio.create_task(_keep_going(job)) for job in work]
    try:
        yield runtime
    finally:
        unsubscribe()
        await end(tasks)
        await runtime.store.close()


async def end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancels until all have ended: psycopg's pool waits by Python 3.11's wait_for, which loses a cancellation now and then."""
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=0.5)


async def _repeat(job: Callable[[], Awaitable[None]]) -> None:
    while True:
        with contextlib.suppress(*OUTAGE, DjangoDatabaseError):
            await job()
        await asyncio.sleep(SWEEP_EVERY)


async def _keep_going(job: Callable[[], Awaitable[None]]) -> None:
    """A background job that fails unexpectedly is logged and started again."""
    while True:
        try:
            await job()
        except Exception:
            log.exception("background_job_failed")
        await asyncio.sleep(RESTART_AFTER)
