"""What every WebSocket here does alike: lets a person in, watches their token, limits what they send, closes once.

A socket of its own kind (ticket_socket.py) says what is seen through it and acts on its frames.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import structlog
from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

from realtime import frames, handshake, metrics
from realtime.elsewhere import SocketNews
from realtime.handshake import (
    MALFORMED,
    NOT_AUTHENTICATED,
    RESTARTING,
    TOO_FAST,
    TOO_SLOW,
    TRY_LATER,
)
from realtime.limits import MOST_SOCKETS, FrameLimit
from realtime.runtime import Runtime
from realtime.store import OUTAGE, ConnectPass
from realtime.verifier import Claims, KeysUnavailable, TokenInvalid
from realtime.wire import SEND_NOW
from tickets.people import Person
from tickets.permissions import AUTHENTICATED

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


class LiveSocket(AsyncWebsocketConsumer):
    """One connection. What a kind of socket adds are the methods below "what each kind of socket says"."""

    permission: ClassVar[str] = AUTHENTICATED  # what it needs at least; `check` decides
    incoming: ClassVar[Mapping[str, type[frames.Incoming]]]  # the typed frames that it takes
    ticket: uuid.UUID | None = None  # whose conversation it is
    person: Person
    claims: Claims

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.runtime: Runtime = scope["state"]["runtime"]
        self.timers: list[asyncio.TimerHandle] = []
        self.limit = FrameLimit()
        self.inside = False  # let in, and known to the hub
        self.hearing = asyncio.Lock()  # held while a frame is dealt with
        self.code: int | None = None  # what it was closed with, by us
        self.scope, self.base_send = scope, send
        self.send_now: Callable[[str], bool] = scope["state"][SEND_NOW]
        metrics.SOCKETS.inc()
        try:
            # As Channels' own loop, less its two tasks for every frame: there is no channel layer to listen to beside the socket.
            with contextlib.suppress(StopConsumer):
                while True:
                    await self.dispatch(await receive())
        finally:
            metrics.SOCKETS.dec()
            self._gone()

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

    # --- what each kind of socket says

    def opened_by(self, used: ConnectPass) -> bool:
        """Whether a connect ticket is one for this socket."""
        raise NotImplementedError

    async def check(self) -> None:
        """Raises Shut unless `self.person` may have this socket. Asked before it is let in, and whenever access shrank."""
        raise NotImplementedError

    def enter(self) -> None:
        """The hub knows the socket: whatever else it is to hear of is heard from here on."""

    def leave(self) -> None:
        """The connection is over."""

    def about(self) -> dict[str, str]:
        """What its log lines say besides the person."""
        return {}

    async def begin(self) -> None:
        """The person is in."""

    async def act(self, frame: frames.Incoming) -> None:
        """A typed frame of `incoming`, of a person who is in; those that are alike everywhere are dealt with already."""
        raise NotImplementedError

    async def plain(self, text: str) -> None:
        """A frame where `chat.v1` is not spoken."""
        raise NotImplementedError

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

    async def _claims_of(self, connect_ticket: str) -> Claims:
        used = await self.runtime.store.use_connect_ticket(connect_ticket)
        if used is None or not self.opened_by(used):
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
        """Checks the person and what they ask for; joins before anything is read, so that nothing falls in between."""
        person = await self.runtime.person(claims, arriving=True)
        if person is None:
            raise Shut(NOT_AUTHENTICATED)
        self.person, self.claims = person, claims
        await self.check()
        opened_at = time.time_ns() // 1000
        self.news = SocketNews(uuid.uuid4(), person.id, person.username, self.ticket, opened_at)
        self.runtime.hub.join(self)
        self.enter()
        self.inside = True
        self.runtime.hub.displace_oldest(person.id, desk=self.ticket is None)
        await self.still_allowed()  # access that shrank before it joined was told to nobody here
        self._watch_expiry()
        log.info("socket_opened", user=str(person.id), protocol=self.shaken.subprotocol, **self.about())
        await self.begin()

    def _gone(self) -> None:
        self._stop_timers()
        if self.inside:
            self.leave()
            self.runtime.hub.leave(self)
            log.info("socket_closed", user=str(self.person.id), code=self.code, **self.about())

    # --- frames in

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        async with self.hearing:
            if self.code is None:
                await self._hear(text_data)

    async def _hear(self, text_data: str | None) -> None:
        wait = self.limit.take()
        if self.limit.exhausted:
            raise Shut(TOO_FAST)
        if wait:
            await self.tell(frames.error("too_fast", "Slow down.", retry_after=round(wait, 2)))
            return
        try:
            if text_data is None:
                raise frames.BadFrame("Frames are text.")
            if self.shaken.typed:
                await self._typed(frames.read(text_data, self.incoming))
            else:
                await self.plain(text_data)
        except frames.BadFrame as error:
            await self.tell(frames.error("malformed", str(error)))
        except OUTAGE:
            await self.tell(frames.error("unavailable", "Not possible now. Send it again shortly."))

    async def _typed(self, frame: frames.Incoming) -> None:
        if not self.inside:
            if not isinstance(frame, frames.Auth):
                raise Shut(NOT_AUTHENTICATED)
            self._stop_timers()  # they came in time; a database that is slow is no fault of their token
            try:
                await self._admit(await self._verified(frame.token))
            except OUTAGE as error:  # also half-way in, with its token's end not watched yet
                raise Shut(TRY_LATER) from error
            return
        match frame:
            case frames.Refresh() | frames.Auth():
                await self._refresh(frame.token)
            case frames.Ping():
                await self.tell(frames.pong())
            case _:
                await self.act(frame)

    async def _refresh(self, token: str) -> None:
        try:
            claims = await self.runtime.verifier.averify(token)
        except (TokenInvalid, KeysUnavailable):
            claims = None
        if claims is None or claims.user != self.claims.user:
            await self.tell(frames.error("token_invalid", "This token is not accepted."))
            return
        self.claims = claims
        await self.still_allowed()
        self._watch_expiry()

    # --- frames out

    def tell_now(self, text: str) -> bool:
        """Sends one frame, if that waits for nobody: without a task that has to be woken, most of what sending costs."""
        return self.code is None and self.send_now(text)

    async def tell(self, text: str) -> None:
        """Sends one frame. Raises Shut if the other side does not read, OSError if it is gone."""
        if self.code is not None or self.send_now(text):
            return  # closed by us meanwhile, or sent
        try:
            async with asyncio.timeout(SEND_WITHIN):
                await self.base_send({"type": "websocket.send", "text": text})
        except TimeoutError as error:
            raise Shut(TOO_SLOW) from error

    async def shut(self, code: int) -> None:
        """Closes with `code`, once."""
        if self.code is not None:
            return
        self.code = code
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await self.close(code)

    async def retire(self) -> None:
        """The process stops. What is being committed is acknowledged before, and nothing is begun after."""
        async with self.hearing:
            await self.shut(RESTARTING)

    async def displace(self) -> None:
        """The same person opened too many others since."""
        with contextlib.suppress(OSError, Shut):
            await self.tell(frames.error("too_many_sockets", f"You have opened {MOST_SOCKETS} others since."))
        await self.shut(TOO_FAST)

    # --- whether it may go on

    async def recheck(self) -> None:
        """Access shrank somewhere: is this person still somebody who may have this socket?"""
        try:
            await self.still_allowed()
            await self.check()
        except Shut as shut:
            await self.shut(shut.code)

    async def still_allowed(self) -> Person:
        """The person as of now. Raises Shut if the token counts no more."""
        person = await self.runtime.person(self.claims)
        if person is None:
            raise Shut(NOT_AUTHENTICATED)
        self.person = person
        return person

    # --- time

    def _stop_timers(self) -> None:
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()

    def _watch_expiry(self) -> None:
        """Replaces the timers of an older token."""
        self._stop_timers()
        left = self.claims.expires_at - time.time()
        if self.shaken.typed:
            self._later(max(left - WARN_BEFORE, 0), self._warn_of_expiry)
        self._later(left + GRACE_AFTER, self._expire)

    async def _warn_of_expiry(self) -> None:
        with contextlib.suppress(OSError, Shut):
            await self.tell(frames.token_expiring(datetime.fromtimestamp(self.claims.expires_at, UTC)))

    async def _expire(self) -> None:
        await self.shut(NOT_AUTHENTICATED)

    async def _shut_unless_inside(self) -> None:
        if not self.inside:
            await self.shut(NOT_AUTHENTICATED)

    def _later(self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        loop = asyncio.get_running_loop()
        self.timers.append(loop.call_later(seconds, lambda: self.runtime.hub.spawn(work())))


class NoSuchSocket(AsyncWebsocketConsumer):
    """Any other address: refused before it is accepted, which is HTTP 403."""

    async def connect(self) -> None:
        await self.close(MALFORMED)
