"""Hints between processes through Redis: "ticket T has messages up to N", signals such as "Alice is typing", and
which sockets a process has (elsewhere.py).

One channel, one subscription a process.

Channels' layers are not used for this: a consumer of theirs hops to a thread for every event, and their queues know no
bound. A hint may be lost (Redis away, restarted): the hub's sweep finds what it would have told. A lost signal is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import orjson
import redis.asyncio
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from realtime.elsewhere import SocketNews
from realtime.store import OUTAGE
from tickets.events import SIGNALS, Event, Signal, TicketEvent

CHANNEL = "lectern:chat:tickets"
PROBE_AFTER = 15.0  # seconds of silence; then a ping has to be answered within as long
RECONNECT_AFTER = 0.5  # seconds
SEND_TIMEOUT = 2.0  # seconds
MOST_SIGNALS = 10_000  # waiting to be sent, while Redis is slow

# What a row of each kind consists of, in the order of its fields.
IDS = (uuid.UUID, uuid.UUID | None)
EVENT = (uuid.UUID, int, bool, int)
SIGNAL = (str, uuid.UUID, uuid.UUID, str, int)
SOCKET = (uuid.UUID, uuid.UUID, str, uuid.UUID | None, int, bool)

log = structlog.get_logger()


def encode(
    origin: str, events: Iterable[TicketEvent], signals: Iterable[Signal], sockets: Iterable[SocketNews] = ()
) -> bytes:
    return orjson.dumps(
        [
            origin,
            [[event.ticket, event.seq, event.changed, event.note_seq] for event in events],
            [[signal.kind, signal.ticket, signal.user, signal.username, signal.value] for signal in signals],
            [[news.id, news.user, news.username, news.ticket, news.opened_at, news.is_open] for news in sockets],
        ]
    )


def decode(data: bytes) -> list[Event | SocketNews]:
    """Raises ValueError, TypeError or AttributeError for what is no message of this version's."""
    _origin, events, signals, sockets = orjson.loads(data)
    found: list[Event | SocketNews] = [TicketEvent(*_checked(EVENT, row)) for row in events]
    found += [Signal(*_checked(SIGNAL, [kind, *rest])) for kind, *rest in signals if kind in SIGNALS]
    found += [SocketNews(*_checked(SOCKET, row)) for row in sockets]
    return found


def _checked(shape: tuple[Any, ...], row: list[Any]) -> list[Any]:
    """A row's values, ids read: whatever is kept or told to people has to be what it is taken for."""
    values = [uuid.UUID(value) if kind in IDS and value else value for kind, value in zip(shape, row, strict=True)]
    if not all(map(isinstance, values, shape)):
        raise TypeError("not the types of this version")
    return values


class Hints:
    """`on_hint` gets what other processes committed, `on_gap` is awaited whenever hints may have been missed."""

    def __init__(
        self,
        url: str,
        on_hint: Callable[[Event | SocketNews], None],
        on_gap: Callable[[], Awaitable[None]],
    ) -> None:
        self._url = url
        self._on_hint = on_hint
        self._on_gap = on_gap
        self._origin = uuid.uuid4().hex
        self._own = orjson.dumps([self._origin])[:-1]  # what each of its messages begins with
        self._pending: dict[uuid.UUID, TicketEvent] = {}
        self._signals: dict[tuple[str, uuid.UUID, uuid.UUID], Signal] = {}
        self._sockets: dict[uuid.UUID, SocketNews] = {}
        self._wanted = asyncio.Event()
        self.connected = False

    def tell(self, event: Event | SocketNews) -> None:
        """Sends it soon, together with whatever else is waiting; of one ticket only the newest."""
        if isinstance(event, Signal):
            if len(self._signals) < MOST_SIGNALS:
                self._signals[event.kind, event.ticket, event.user] = event
        elif isinstance(event, SocketNews):
            if len(self._sockets) < MOST_SIGNALS:
                self._sockets[event.id] = event
        elif waiting := self._pending.get(event.ticket):
            self._pending[event.ticket] = waiting.and_then(event)
        else:
            self._pending[event.ticket] = event
        self._wanted.set()

    async def publish_forever(self) -> None:
        async with self._client(SEND_TIMEOUT) as client:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                waiting = encode(self._origin, self._pending.values(), self._signals.values(), self._sockets.values())
                self._pending, self._signals, self._sockets = {}, {}, {}
                try:
                    await client.publish(CHANNEL, waiting)
                except (RedisError, OSError) as error:
                    log.debug("hint_lost", exc_info=error)

    async def listen_forever(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError, TimeoutError) as error:
                if self.connected:
                    log.warning("hints_interrupted", exc_info=error)
            self.connected = False
            await asyncio.sleep(RECONNECT_AFTER)

    async def _listen(self) -> None:
        async with self._client(None) as client, client.pubsub() as subscription:
            await subscription.subscribe(CHANNEL)
            probed = False
            while True:
                message = await subscription.get_message(timeout=PROBE_AFTER)
                if message is None:
                    if probed:
                        raise TimeoutError("Redis does not answer")
                    await subscription.ping()
                    probed = True
                    continue
                probed = False
                if message["type"] == "subscribe":
                    self.connected = True
                    with contextlib.suppress(*OUTAGE):
                        await self._on_gap()
                elif message["type"] == "message":
                    self._heard(message["data"])

    def _heard(self, data: bytes) -> None:
        if data.startswith(self._own):
            return
        try:
            heard = decode(data)
        except (ValueError, TypeError, AttributeError) as error:
            # Another version's, or nobody's: what it was about, the sweep finds.
            log.warning("hint_not_understood", exc_info=error)
            return
        for event in heard:
            self._on_hint(event)

    def _client(self, timeout: float | None) -> redis.asyncio.Redis:
        """`timeout` for reads; said explicitly, since redis-py's default drops idle subscriptions from version 8 on."""
        return redis.asyncio.Redis.from_url(
            self._url, socket_timeout=timeout, socket_connect_timeout=SEND_TIMEOUT, retry=Retry(NoBackoff(), 0)
        )
