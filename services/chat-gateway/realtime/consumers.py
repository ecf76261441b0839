"""/ws/chat/{ticket}/: lets a person in, takes their messages, and delivers everybody's (delivery.py does the sending)."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import structlog
from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

from realtime import frames, handshake, metrics
from realtime.delivery import Writer
from realtime.handshake import (
    FAILED,
    FORBIDDEN,
    MALFORMED,
    NOT_AUTHENTICATED,
    RESTARTING,
    TOO_FAST,
    TOO_SLOW,
    TRY_LATER,
)
from realtime.limits import FrameLimit
from realtime.runtime import Runtime
from realtime.store import OUTAGE, Refused
from realtime.verifier import Claims, KeysUnavailable, TokenInvalid
from tickets import texts
from tickets.events import TicketEvent
from tickets.people import Person
from tickets.sql import MessageRow, TicketFacts

AUTH_WITHIN = 5.0  # seconds for the first frame to bring a token
SEND_WITHIN = 10.0  # seconds for one frame to leave
CLOSE_WITHIN = 1.0
WARN_BEFORE = 60.0  # seconds before the token ends
GRACE_AFTER = 25.0  # seconds after the token ended

log = structlog.get_logger()


class Shut(Exception):
    """The socket is to be closed with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class TicketSocket(AsyncWebsocketConsumer):
    person: Person
    claims: Claims
    facts: TicketFacts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.runtime: Runtime = scope["state"]["runtime"]
        self.writer: Writer | None = None
        self.writing: asyncio.Task[None] | None = None
        self.timers: list[asyncio.TimerHandle] = []
        self.limit = FrameLimit()
        self.inside = False  # let in, and known to the hub
        self.code: int | None = None  # what it was closed with, by us
        metrics.SOCKETS.inc()
        try:
            await super().__call__(scope, receive, send)
        finally:
            metrics.SOCKETS.dec()
            self._leave()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """As Channels', less its hop to a thread for Django's connections, of which there are none here."""
        try:
            await getattr(self, get_handler_name(message))(message)
        except Shut as shut:
            await self.shut(shut.code)
        except OUTAGE:
            await self.shut(TRY_LATER)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        raise StopConsumer

    # --- letting in

    async def connect(self) -> None:
        self.shaken = handshake.read(self.scope, self.runtime.origins)
        await self.accept(self.shaken.subprotocol)
        if self.runtime.draining:
            raise Shut(RESTARTING)
        if self.shaken.refusal:
            raise Shut(self.shaken.refusal)
        if self.shaken.connect_ticket is not None:
            await self._admit(await self._claims_of(self.shaken.connect_ticket))
        elif self.shaken.token is not None:
            await self._admit(await self._verified(self.shaken.token))
        elif self.shaken.typed:
            self._later(AUTH_WITHIN, self._shut_unless_inside)
        else:
            raise Shut(NOT_AUTHENTICATED)

    def _asked_for(self) -> uuid.UUID | None:
        return handshake.ticket_id(self.scope["url_route"]["kwargs"]["ticket"])

    async def _claims_of(self, connect_ticket: str) -> Claims:
        used = await self.runtime.store.use_connect_ticket(connect_ticket)
        if used is None or used.ticket != self._asked_for():
            raise Shut(NOT_AUTHENTICATED)
        return used.claims

    async def _verified(self, token: str) -> Claims:
        try:
            return await self.runtime.verifier.averify(token)
        except TokenInvalid as error:
            raise Shut(NOT_AUTHENTICATED) from error
        except KeysUnavailable as error:
            raise Shut(TRY_LATER) from error

    async def _admit(self, claims: Claims) -> None:
        """Checks the person and the ticket; joins before any message is read, so that none falls in between."""
        person = await self.runtime.person(claims)
        if person is None:
            raise Shut(NOT_AUTHENTICATED)
        ticket = self._asked_for()
        facts = await self.runtime.store.facts([ticket] if ticket else [])
        if not facts or not person.may_see(facts[0]):
            raise Shut(FORBIDDEN)
        self.person, self.claims, self.facts = person, claims, facts[0]
        self.runtime.hub.join(self)
        self.inside = True
        await self._still_allowed()  # access that shrank before the join was told to nobody here
        self._watch_expiry()
        log.info("socket_opened", ticket=str(self.facts.id), user=str(person.id), protocol=self.shaken.subprotocol)
        if not self.shaken.typed:
            since = self.shaken.since
            self._deliver_from(facts[0].head_seq if since is None else min(since, facts[0].head_seq))

    def _leave(self) -> None:
        for timer in self.timers:
            timer.cancel()
        if self.writing:
            self.writing.cancel()
        if self.inside:
            self.runtime.hub.leave(self)
            log.info("socket_closed", ticket=str(self.facts.id), user=str(self.person.id), code=self.code)

    # --- frames in

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.code is not None:
            return
        wait = self.limit.take()
        if self.limit.exhausted:
            raise Shut(TOO_FAST)
        if wait:
            await self._tell(frames.error("too_fast", "Slow down.", retry_after=round(wait, 2)))
            return
        try:
            if text_data is None:
                raise frames.BadFrame("Frames are text.")
            await (self._typed(frames.read(text_data)) if self.shaken.typed else self._plain(text_data))
        except frames.BadFrame as error:
            await self._tell(frames.error("malformed", str(error)))
        except OUTAGE:
            if not self.inside:
                raise
            await self._tell(frames.error("unavailable", "Not possible now. Send it again shortly."))

    async def _plain(self, text: str) -> None:
        await self._append(frames.read_plain(text), None)

    async def _typed(self, frame: frames.Incoming) -> None:
        if not self.inside:
            if not isinstance(frame, frames.Auth):
                raise Shut(NOT_AUTHENTICATED)
            await self._admit(await self._verified(frame.token))
            return
        match frame:
            case frames.SendMessage():
                await self._append(frame.message, frame.client_id)
            case frames.Hello() | frames.Sync():
                await self._start(frame)
            case frames.Refresh() | frames.Auth():
                await self._refresh(frame.token)
            case frames.Ping():
                await self._tell(frames.pong())

    async def _start(self, frame: frames.Hello | frames.Sync) -> None:
        """From `since` on; one beyond the newest message would miss what comes next, so it counts as the newest."""
        facts = await self.runtime.store.facts([self.facts.id])
        head = facts[0].head_seq
        if isinstance(frame, frames.Hello):
            await self._tell(frames.welcome(head))
        self._deliver_from(head if frame.since is None else min(frame.since, head))

    async def _append(self, body: str, client_id: str | None) -> None:
        about = {} if client_id is None else {"client_id": client_id}
        try:
            body = texts.clean(body)
            client_id = client_id if client_id is None else texts.clean_client_id(client_id)
        except texts.BadText as error:
            await self._tell(frames.error("invalid", str(error), **about))
            return
        try:
            with metrics.APPENDING.time():
                row = await self.runtime.store.append(await self._still_allowed(), self.facts.id, body, client_id)
        except Refused as refused:
            if refused.facts is None or not self.person.may_see(refused.facts):
                raise Shut(FORBIDDEN) from refused
            await self._tell(frames.error("ticket_closed", "Reopen it to go on.", **about))
            return
        except OUTAGE:
            await self._tell(frames.error("unavailable", "Not acknowledged. Send it again shortly.", **about))
            return
        self.runtime.hub.announce(TicketEvent(self.facts.id, row.seq))  # even if the sender is gone meanwhile
        if client_id is not None:
            await self._tell(frames.ack(client_id, row.seq))

    async def _refresh(self, token: str) -> None:
        try:
            claims = await self.runtime.verifier.averify(token)
        except (TokenInvalid, KeysUnavailable):
            claims = None
        if claims is None or claims.user != self.claims.user:
            await self._tell(frames.error("token_invalid", "This token is not accepted."))
            return
        self.claims = claims
        await self._still_allowed()
        self._watch_expiry()

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
            log.exception("delivery_failed", ticket=str(self.facts.id))
            await self.shut(FAILED)

    async def _read(self, after: int, limit: int) -> list[MessageRow]:
        return await self.runtime.store.messages_after(self.facts.id, after, limit)

    async def _deliver(self, row: MessageRow) -> None:
        await self._tell(frames.message(row) if self.shaken.typed else frames.plain_message(row))
        metrics.DELIVERED.inc()

    async def _tell(self, text: str) -> None:
        try:
            async with asyncio.timeout(SEND_WITHIN):
                await self.send(text_data=text)
        except TimeoutError as error:
            raise Shut(TOO_SLOW) from error

    async def shut(self, code: int) -> None:
        """Closes with `code`, once."""
        if self.code is not None:
            return
        self.code = code
        if self.writing and self.writing is not asyncio.current_task():
            self.writing.cancel()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await self.close(code)

    # --- what the hub tells

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
                await self._tell(frames.assigned(facts.state, facts.assignee_username))

    async def recheck(self) -> None:
        """Access shrank somewhere: is this person still somebody who may see this ticket?"""
        try:
            await self._still_allowed()
            facts = await self.runtime.store.facts([self.facts.id])
            if not facts or not self.person.may_see(facts[0]):
                raise Shut(FORBIDDEN)
        except Shut as shut:
            await self.shut(shut.code)

    async def _still_allowed(self) -> Person:
        person = await self.runtime.person(self.claims)
        if person is None:
            raise Shut(NOT_AUTHENTICATED)
        self.person = person
        return person

    # --- time

    def _watch_expiry(self) -> None:
        """Replaces the timers of an older token."""
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()
        left = self.claims.expires_at - time.time()
        if self.shaken.typed:
            self._later(max(left - WARN_BEFORE, 0), self._warn_of_expiry)
        self._later(left + GRACE_AFTER, self._expire)

    async def _warn_of_expiry(self) -> None:
        with contextlib.suppress(OSError, Shut):
            await self._tell(frames.token_expiring(datetime.fromtimestamp(self.claims.expires_at, UTC)))

    async def _expire(self) -> None:
        await self.shut(NOT_AUTHENTICATED)

    async def _shut_unless_inside(self) -> None:
        if not self.inside:
            await self.shut(NOT_AUTHENTICATED)

    def _later(self, seconds: float, work: Any) -> None:
        loop = asyncio.get_running_loop()
        self.timers.append(loop.call_later(seconds, lambda: self.runtime.hub.spawn(work())))


class NoSuchSocket(AsyncWebsocketConsumer):
    """Any other address: refused before it is accepted, which is HTTP 403."""

    async def connect(self) -> None:
        await self.close(MALFORMED)
