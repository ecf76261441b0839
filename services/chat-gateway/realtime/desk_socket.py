"""/ws/desk/: an agent's tickets, queues and colleagues, live (desk_feed.py reads them), and whether the agent is there."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from channels.db import database_sync_to_async
from django.db import Error as DjangoDatabaseError

from realtime import frames
from realtime.handshake import FAILED, FORBIDDEN, MALFORMED
from realtime.sockets import LiveSocket, Shut
from realtime.store import ConnectPass
from tickets import actions, assignment
from tickets.desk import Snapshot, View, changes
from tickets.models import Presence
from tickets.people import ANSWER

log = structlog.get_logger()
set_status = database_sync_to_async(actions.set_status, thread_sensitive=False)


class DeskSocket(LiveSocket):
    permission = ANSWER
    incoming = frames.INCOMING_DESK

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.greeted = False  # it has said hello
        self.newest: Snapshot | None = None
        self.shown: View | None = None
        self.woken = asyncio.Event()
        self.writing: asyncio.Task[None] | None = None
        await super().__call__(scope, receive, send)

    def opened_by(self, used: ConnectPass) -> bool:
        return used.ticket is None

    async def check(self) -> None:
        if not self.shaken.typed:
            raise Shut(MALFORMED)
        if self.permission not in self.person.permissions:
            raise Shut(FORBIDDEN)

    def enter(self) -> None:
        self.runtime.desks.enter(self)

    def leave(self) -> None:
        self.runtime.desks.leave(self)
        if self.writing:
            self.writing.cancel()
            self.writing = None  # it holds this socket

    async def begin(self) -> None:
        self.writing = asyncio.create_task(self._write())
        await self.runtime.store.renew_leases([self.person.id], assignment.LEASE)
        self.runtime.housekeeping.wake()

    async def shut(self, code: int) -> None:
        if self.code is None and self.writing and self.writing is not asyncio.current_task():
            self.writing.cancel()
        await super().shut(code)

    async def recheck(self) -> None:
        await super().recheck()
        self.runtime.desks.wake()  # with other categories, perhaps

    # --- frames in

    async def act(self, frame: frames.Incoming) -> None:
        match frame:
            case frames.HelloDesk():
                self.greeted, self.newest, self.shown = True, None, None
                self.runtime.desks.wake()
            case frames.Status():
                await self._set_status(Presence(frame.status))

    async def _set_status(self, status: Presence) -> None:
        try:
            await set_status(await self.still_allowed(), status)
        except DjangoDatabaseError:
            await self.tell(frames.error("unavailable", "Not possible now. Send it again shortly."))

    # --- frames out

    def show(self, snapshot: Snapshot) -> None:
        """The newest takes the place of one that was not sent yet: who reads slowly skips what lies between."""
        if self.greeted:
            self.newest = snapshot
            self.woken.set()

    async def _write(self) -> None:
        try:
            while True:
                await self.woken.wait()
                self.woken.clear()
                if snapshot := self.newest:
                    await self._tell_changes(snapshot.of(self.person))
        except OSError:
            pass  # the peer is gone; the connection says so too
        except Shut as shut:
            await self.shut(shut.code)
        except Exception:
            log.exception("desk_failed")
            await self.shut(FAILED)

    async def _tell_changes(self, view: View) -> None:
        before, self.shown = self.shown, view
        for kind, content in changes(before, view):
            await self.tell(frames.frame(kind, **content))
