"""Many WebSockets at once, each as cheap as can be: bytes over asyncio's streams, and nothing kept but what is asserted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from dataclasses import dataclass
from typing import Any

REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: chat.v1\r\n\r\n"
)
CLOSE, PING, PONG = 8, 9, 10


def masked(kind: int, payload: bytes) -> bytes:
    """One whole frame, with the mask 0."""
    size = len(payload)
    length = struct.pack("!B", 0x80 | size) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
    return struct.pack("!B", 0x80 | kind) + length + bytes(4) + payload


EVERYBODY: list[asyncio.StreamWriter] = []


@dataclass
class Member:
    """One of the crowd."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, **frame: Any) -> None:
        self.writer.write(masked(1, json.dumps(frame).encode()))

    async def frame(self) -> tuple[int, bytes]:
        """The next frame's kind and payload; pings are answered."""
        while True:
            kind, size = await self.reader.readexactly(2)
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            payload = await self.reader.readexactly(size)
            if kind & 0xF != PING:
                return kind & 0xF, payload
            self.writer.write(masked(PONG, payload))

    async def next(self, kind: str) -> dict[str, Any]:
        """The next frame of that type. Raises ConnectionError with the code if the server closes."""
        while True:
            opcode, payload = await self.frame()
            if opcode == CLOSE:
                raise ConnectionError(struct.unpack("!H", payload[:2])[0])
            found: dict[str, Any] = json.loads(payload)
            if found["type"] == kind:
                return found

    async def closed(self) -> int:
        """The code that the server closes with."""
        while True:
            opcode, payload = await self.frame()
            if opcode == CLOSE:
                return int(struct.unpack("!H", payload[:2])[0])

    def vanish(self) -> None:
        """As if its network were gone: no closing handshake."""
        self.writer.transport.abort()


async def reached(address: str, path: str, **hello: Any) -> Member:
    """A member that was let in and said hello. `address` is host:port."""
    reader, writer = await asyncio.open_connection(*address.rsplit(":", 1), limit=16 * 1024)
    EVERYBODY.append(writer)
    writer.write(REQUEST.format(path=path, host=address).encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 101"), answer
    member = Member(reader, writer)
    member.send(type="hello", **hello)
    return member


async def joined(address: str, ticket: Any, token: str, since: int | None = 0) -> Member:
    """A member of a ticket's, where it was welcomed."""
    member = await reached(address, f"/ws/chat/{ticket}/?token={token}", since=since)
    await member.next("welcome")
    return member


async def all_gone() -> None:
    """What a test opened is closed after it."""
    while EVERYBODY:
        writer = EVERYBODY.pop()
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
