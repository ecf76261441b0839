"""/ws/chat/{ticket}/: takes a person's messages and delivers everybody's (delivery.py does the sending)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import structlog

from realtime import frames, handshake, metrics
from realtime.delivery import Writer
from realtime.handshake import FAILED, FORBIDDEN
from realtime.sockets import LiveSocket, Shut
from realtime.store import OUTAGE, ConnectPass, Refused
from tickets import texts
from tickets.sql import MessageRow, TicketFacts

log = structlog.get_logger()


class TicketSocket(LiveSocket):
    incoming = frames.INCOMING
    facts: TicketFacts  # what it was told of its ticket last

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.ticket = handshake.ticket_id(scope["url_route"]["kwargs"]["ticket"])
        self.writer: Writer | None = None
        self.writing: asyncio.Task[None] | None = None
        await super().__call__(scope, receive, send)

    def opened_by(self, used: ConnectPass) -> bool:
        return used.ticket is not None and used.ticket == self.ticket

    async def check(self) -> None:
        facts = await self.runtime.store.facts([self.ticket] if self.ticket else [])
        if not facts or not self.person.may_see(facts[0]):
            raise Shut(FORBIDDEN)
        if not self.inside:
            self.facts = facts[0]

    def enter(self) -> None:
        self.runtime.hub.enter(self.facts.id, self)

    def leave(self) -> None:
        if self.writing:
            self.writing.cancel()
        self.runtime.hub.exit(self.facts.id, self)

    def about(self) -> dict[str, str]:
        return {"ticket": str(self.ticket)}

    async def begin(self) -> None:
        if not self.shaken.typed:
            head, since = self.facts.head_seq, self.shaken.since
            self._deliver_from(head if since is None else min(since, head))

    # --- frames in

    async def plain(self, text: str) -> None:
        await self._append(frames.read_plain(text), None)

    async def act(self, frame: frames.Incoming) -> None:
        match frame:
            case frames.SendMessage():
                await self._append(frame.message, frame.client_id)
            case frames.Hello() | frames.Sync():
                await self._start(frame)

    async def _start(self, frame: frames.Hello | frames.Sync) -> None:
        """From `since` on; one beyond the newest message would miss what comes next, so it counts as the newest."""
        facts = await self.runtime.store.facts([self.facts.id])
        head = facts[0].head_seq
        if isinstance(frame, frames.Hello):
            await self.tell(frames.welcome(head))
        self._deliver_from(head if frame.since is None else min(frame.since, head))

    async def _append(self, body: str, client_id: str | None) -> None:
        about = {} if client_id is None else {"client_id": client_id}
        try:
            body = texts.clean(body)
            client_id = client_id if client_id is None else texts.clean_client_id(client_id)
        except texts.BadText as error:
            await self.tell(frames.error("invalid", str(error), **about))
            return
        try:
            with metrics.APPENDING.time():
                row = await self.runtime.store.append(await self.still_allowed(), self.facts.id, body, client_id)
        except Refused as refused:
            if refused.facts is None or not self.person.may_see(refused.facts):
                raise Shut(FORBIDDEN) from refused
            await self.tell(frames.error("ticket_closed", "Reopen it to go on.", **about))
            return
        except OUTAGE:
            await self.tell(frames.error("unavailable", "Not acknowledged. Send it again shortly.", **about))
            return
        self.runtime.hub.committed(self.facts.id, row)  # even if the sender is gone meanwhile
        if client_id is not None:
            await self.tell(frames.ack(client_id, row.seq))

    # --- frames out

    def _deliver_from(self, cursor: int) -> None:
        if self.writer:
            self.writer.restart(cursor)
        else:
            self.writer = Writer(cursor, self._read, self._deliver)
            self.writing = asyncio.create_task(self._write(self.writer))

    async def _write(self, writer: Writer) -> None:
        try:
            await writer.run()
        except OSError:
            pass  # the peer is gone; the connection says so too
        except Shut as shut:
            await self.shut(shut.code)
        except Exception:
            log.exception("delivery_failed", **self.about())
            await self.shut(FAILED)

    async def _read(self, after: int, limit: int) -> list[MessageRow]:
        return await self.runtime.store.messages_after(self.facts.id, after, limit)

    async def _deliver(self, row: MessageRow) -> None:
        await self.tell(frames.message(row) if self.shaken.typed else frames.plain_message(row))
        metrics.DELIVERED.inc()

    async def shut(self, code: int) -> None:
        if self.code is None and self.writing and self.writing is not asyncio.current_task():
            self.writing.cancel()
        await super().shut(code)

    # --- what the hub tells

    def hand(self, row: MessageRow) -> None:
        if self.writer:
            self.writer.hand(row)

    def wake(self, seq: int) -> None:
        if self.writer:
            self.writer.wake(seq)

    async def ticket_changed(self, facts: TicketFacts) -> None:
        """Another state, agent or category; who may see it no more goes."""
        self.facts = facts
        if not self.person.may_see(facts):
            await self.shut(FORBIDDEN)
        elif self.shaken.typed and self.writer:
            with contextlib.suppress(OSError, Shut):
                await self.tell(frames.assigned(facts.state, facts.assignee_username))
