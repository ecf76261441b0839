"""Clients for the chat bench, in a process of their own: rooms of two who write to each other, over raw WebSockets.

They parse no more than they must, since the servers are measured. Every message carries its number as `#000000000042`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

import psutil
import uvloop

from bench.ledger import processor_seconds
from bench.measure import nth

TEXT = "#%012d I am stuck in lesson 4: which of the two is it?"
CONNECTING = 50  # at once
CLIENTS = "the bench's clients"
LOST_AFTER = 10.0  # seconds
WARM = 0.5  # seconds before what counts
TICK = 0.001  # seconds between two looks at what is due
TEXT_FRAME, CLOSE_FRAME, PING_FRAME = 0x81, 0x88, 0x89


@dataclass(frozen=True)
class Dialect:
    """How a kind of server is spoken to. `ready` is in the frame after which one is in the room; none: at once."""

    send: str  # with %(text)s, and %(number)d for a client's own name of it
    greetings: Sequence[str] = ()
    ready: bytes = b""
    protocols: str = ""
    acknowledges: bool = False


CHAT = Dialect(
    send='{"type":"message","client_id":"%(run)s-%(number)d","message":"%(text)s"}',
    greetings=('{"type":"hello"}',),
    ready=b'"welcome"',
    protocols="chat.v1",
    acknowledges=True,
)
SOCKET_IO = Dialect(send='42["message","%(text)s"]', greetings=("40",), ready=b"40{")
PLAIN = Dialect(send='{"message":"%(text)s"}')


@dataclass
class Talk:
    """What became of the messages that were sent within `seconds`. Processor time by who used it, the clients included."""

    messages: int
    seconds: float
    lost: int
    waited: list[float]  # seconds from sending (or from when it was due) to the other person's socket
    spent: Mapping[str, float]

    @property
    def rate(self) -> float:
        return self.messages / self.seconds

    def busy(self, who: str) -> float:
        """Processors that it kept busy."""
        return self.spent[who] / self.seconds

    def spent_each(self, who: str) -> float:
        """Microseconds of processor time a message."""
        return self.spent[who] / max(self.messages, 1) * 1e6

    def ms(self, share: float) -> float:
        return nth(self.waited, share) * 1000 if self.waited else float("nan")


@dataclass
class Room:
    """Two people, and the message that is under way."""

    people: list[Person] = field(default_factory=list)
    number: int = -1
    missing: int = 0  # answers: a message in each socket, and the acknowledgement
    began: float = 0.0


class Person(asyncio.Protocol):
    """One socket."""

    def __init__(self, talkers: Talkers, room: Room, path: str) -> None:
        self.talkers, self.room, self.path = talkers, room, path
        self.inside = asyncio.get_running_loop().create_future()
        self.shaken = False
        self.rest = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        protocols = self.talkers.dialect.protocols
        lines = [
            f"GET {self.path} HTTP/1.1",
            "Host: 127.0.0.1",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            *([f"Sec-WebSocket-Protocol: {protocols}"] if protocols else []),
        ]
        transport.write("\r\n".join([*lines, "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        data = self.rest + data
        if not self.shaken:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self.rest = head
                return
            self._shaken(head)
        while len(data) >= 2:
            size, start = data[1], 2
            if size == 126:
                size, start = int.from_bytes(data[2:4], "big"), 4
            if len(data) < start + size:
                break
            self._frame(data[0], data[start : start + size])
            data = data[start + size :]
        self.rest = data

    def _shaken(self, head: bytes) -> None:
        if not head.startswith(b"HTTP/1.1 101"):
            self.inside.set_exception(RuntimeError(head.decode()))
            return
        self.shaken = True
        for greeting in self.talkers.dialect.greetings:
            self.write(greeting.encode())
        if not self.talkers.dialect.ready:
            self.inside.set_result(None)

    def _frame(self, kind: int, payload: bytes) -> None:
        if kind == PING_FRAME:
            self.write(payload, 0x8A)
        elif payload == b"2":  # Engine.IO's own ping
            self.write(b"3")
        elif kind == CLOSE_FRAME or payload.startswith(b'{"type":"error"'):
            self.talkers.failed = self.talkers.failed or payload.decode(errors="replace")
        elif not self.inside.done():
            if self.talkers.dialect.ready in payload:
                self.inside.set_result(None)
        else:
            self.talkers.heard(self, payload)

    def write(self, payload: bytes, kind: int = TEXT_FRAME) -> None:
        """Masked with zeros, which changes nothing."""
        assert len(payload) < 126
        self.transport.write(bytes((kind, 0x80 | len(payload), 0, 0, 0, 0)) + payload)


class Talkers:
    def __init__(self, dialect: Dialect, run: str) -> None:
        self.dialect = dialect
        self.run = run
        self.rooms: list[Room] = []
        self.failed: str | None = None
        self.number = 0
        self.waited: list[float] = []
        self.lost = 0
        self.answered: Callable[[Room], None] = lambda _room: None
        self.due: dict[int, float] = {}

    async def connect(self, places: Sequence[Sequence[tuple[int, str]]]) -> None:
        """`places`: for each room the port and path of its sockets."""
        limit = asyncio.Semaphore(CONNECTING)
        loop = asyncio.get_running_loop()

        async def enter(room: Room, port: int, path: str) -> None:
            async with limit:
                person = Person(self, room, path)
                room.people.append(person)
                await loop.create_connection(lambda: person, "127.0.0.1", port)
                await asyncio.wait_for(person.inside, 30)

        self.rooms = [Room() for _ in places]
        entering = [enter(room, *place) for room, its in zip(self.rooms, places, strict=True) for place in its]
        await asyncio.gather(*entering)

    def say(self, room: Room, due: float) -> None:
        self.number += 1
        number, speaker = self.number, room.people[self.number % 2]
        self.due[number] = due
        text = self.dialect.send % {"text": TEXT % number, "number": number, "run": self.run}
        room.number, room.missing, room.began = number, 2 + self.dialect.acknowledges, due
        speaker.write(text.encode())

    def heard(self, person: Person, payload: bytes) -> None:
        room = person.room
        at = payload.find(b"#")
        if at < 0:  # an acknowledgement, or somebody's state
            if self.dialect.acknowledges and payload.startswith(b'{"type":"ack"'):
                self._answer(room)
            return
        number = int(payload[at + 1 : at + 13])
        if person is not room.people[number % 2] and (due := self.due.pop(number, None)) is not None:
            self.waited.append(time.monotonic() - due)
        if number == room.number:
            self._answer(room)

    def _answer(self, room: Room) -> None:
        room.missing -= 1
        if not room.missing:
            self.answered(room)

    async def in_turns(self, seconds: float, servers: Mapping[str, list[int]]) -> Talk:
        """In every room the next message once the last one is in both sockets (and acknowledged)."""
        done = 0

        def following(room: Room) -> None:
            nonlocal done
            done += 1
            self.say(room, time.monotonic())

        async def begun() -> None:
            self.answered = following
            for room in self.rooms:
                self.say(room, time.monotonic())

        talk = await self._measured(begun, seconds, servers, lambda: done)
        self.answered = lambda _room: None
        await asyncio.sleep(WARM)
        return talk

    async def at_a_rate(self, rate: float, seconds: float, servers: Mapping[str, list[int]]) -> Talk:
        """So many a second, whatever comes back; what waits to be sent is counted from when it was due."""
        rooms, sent = cycle(self.rooms), 0

        async def say_all() -> None:
            nonlocal sent
            began = time.monotonic()
            while True:
                now = time.monotonic()
                for room in islice(rooms, max(0, int((now - began) * rate) - sent)):
                    sent += 1
                    self.say(room, began + sent / rate)
                await asyncio.sleep(TICK)

        speaking: list[asyncio.Task[None]] = []

        async def begun() -> None:
            speaking.append(asyncio.create_task(say_all()))

        talk = await self._measured(begun, seconds, servers, lambda: sent)
        speaking[0].cancel()
        await asyncio.sleep(WARM)
        return talk

    async def _measured(
        self,
        begin: Callable[[], Awaitable[None]],
        seconds: float,
        servers: Mapping[str, list[int]],
        count: Callable[[], int],
    ) -> Talk:
        self.due.clear()
        await begin()
        await asyncio.sleep(WARM)
        counted, before, began = count(), spent(servers), time.monotonic()
        await asyncio.sleep(WARM)  # looking at processes took a while in which no client spoke: that is nobody's delay
        self.waited, self.lost, seconds = [], 0, seconds + WARM
        while (now := time.monotonic()) < began + seconds:
            await asyncio.sleep(min(0.25, began + seconds - now))
            self._revive()
            if self.failed:
                raise RuntimeError(f"the server said {self.failed}")
        took, messages, after = time.monotonic() - began, count() - counted, spent(servers)
        return Talk(messages, took, self.lost, self.waited, {name: after[name] - before[name] for name in after})

    def _revive(self) -> None:
        """A room whose message never came goes on with the next one."""
        now = time.monotonic()
        for room in self.rooms:
            if room.missing > 0 and now - room.began > LOST_AFTER:
                self.lost += 1
                room.missing = 0
                self.answered(room)


def spent(servers: Mapping[str, list[int]]) -> dict[str, float]:
    """Processor seconds until now, by what used them."""
    used = {name: sum(processor_seconds(pid) for pid in pids) for name, pids in servers.items()}
    return used | {CLIENTS: time.process_time()}


def talk(
    dialect: Dialect,
    run: str,
    places: Sequence[Sequence[tuple[int, str]]],
    seconds: float,
    servers: Mapping[str, list[int]],
) -> tuple[Talk, Talk]:
    """As much as goes, and then half as much."""

    async def both() -> tuple[Talk, Talk]:
        talkers = Talkers(dialect, run)
        await talkers.connect(places)
        most = await talkers.in_turns(seconds, servers)
        return most, await talkers.at_a_rate(most.rate / 2, seconds, servers)

    return uvloop.run(both())


def idle(dialect: Dialect, places: Sequence[Sequence[tuple[int, str]]], pids: Sequence[int], settle: float) -> float:
    """The KiB that each of these sockets costs the servers, once nothing happens any more."""

    async def run() -> float:
        before = resident(pids)
        talkers = Talkers(dialect, "idle")
        await talkers.connect(places)
        await asyncio.sleep(settle)
        return (resident(pids) - before) / 1024 / sum(len(its) for its in places)

    return uvloop.run(run())


def resident(pids: Sequence[int]) -> int:
    return sum(psutil.Process(pid).memory_info().rss for pid in pids)
