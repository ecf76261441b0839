"""The bytes of a WebSocket: what is written in one turn of the event loop leaves together, text frames by the shortest way."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

TOGETHER = 64 * 1024  # bytes that may gather before they leave
LINGER = 10.0  # seconds that somebody has, after the end, to read what was sent before
SEND_NOW = "lectern.send_now"  # in the scope's state: WebSocketProtocol.send_now


class Gathered:
    """A transport that makes one write of an acknowledgement and the message itself, or of a page of missed messages."""

    __slots__ = ("_loop", "_size", "_transport", "_waiting", "is_closing", "pause_reading", "resume_reading")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []
        self._size = 0
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)
        self._size += len(data)
        if self._size > TOGETHER:
            self._flush()

    def close(self) -> None:
        """Whoever does not read is not waited for: their kernel would keep the connection, and what it holds here, for ever."""
        self._flush()
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._loop.call_later(LINGER, self._transport.abort)

    def _flush(self) -> None:
        if self._waiting and not self._transport.is_closing():
            self._transport.write(b"".join(self._waiting))
        self._waiting.clear()
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def text_frame(text: str) -> bytes:
    """RFC 6455, section 5.2: final, text, not masked."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


class HttpProtocol(HttpToolsProtocol):
    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        self.parser = None  # type: ignore[assignment]  # as when the connection is lost: they hold each other


class WebSocketProtocol(WebSocketsSansIOProtocol):
    def connection_made(self, transport: Any) -> None:
        super().connection_made(Gathered(transport, self.loop))  # type: ignore[arg-type]  # all that is used of a transport

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.conn.parser.close()  # it and the connection hold each other

    async def run_asgi(self) -> None:
        self.scope["state"][SEND_NOW] = self.send_now
        try:
            await super().run_asgi()
        finally:
            del self.scope["state"][SEND_NOW]  # they hold each other

    def send_now(self, text: str) -> bool:
        """Puts a frame on the wire, if that waits for nobody. `send` waits, and says what is wrong."""
        if not self.writable.is_set() or not self._plain_sailing():
            return False
        self.transport.write(text_frame(text))
        return True

    async def send(self, message: Any) -> None:
        """A close does not wait behind a reader who does not read, and what they never read is dropped in the end."""
        if message["type"] == "websocket.close" and self.handshake_complete:
            self.writable.set()
            self.loop.call_later(self.close_timeout, self.transport.abort)
        await super().send(message)

    def _plain_sailing(self) -> bool:
        """Accepted, and neither side has begun to close: uvicorn and websockets would just put a head before the text."""
        return (
            self.handshake_complete and not self.disconnected and not self.close_sent and self.conn.state is State.OPEN
        )

    def handle_ping(self) -> None:
        """Whoever pings and does not read gets no more answers: they would pile up here without end."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()
