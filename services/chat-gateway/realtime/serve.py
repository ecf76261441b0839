"""Serves HTTP and WebSockets: `python -m realtime.serve`. SIGTERM: not ready, sockets closed with 1012, then the end."""

from __future__ import annotations

from config import settings  # first of all: a missing variable is told before the rest takes its time to import

# isort: split
import socket
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from realtime.asgi import application  # sets Django up
from realtime.frames import MAX_FRAME

if TYPE_CHECKING:
    from realtime.runtime import Runtime

STOP_WITHIN = 15  # seconds for what is under way, after the sockets were closed
PING_EVERY = 20.0  # seconds; far below what proxies take for silence
PING_WITHIN = 20.0  # seconds for the answer

log = structlog.get_logger()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    async def send(self, message: Any) -> None:
        """A close does not wait behind a reader who does not read, and what they never read is dropped in the end."""
        if message["type"] == "websocket.close" and self.handshake_complete:
            self.writable.set()
            self.loop.call_later(self.close_timeout, self.transport.abort)
        await super().send(message)

    def handle_ping(self) -> None:
        """Whoever pings and does not read gets no more answers: they would pile up here without end."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            address = self.servers[0].sockets[0].getsockname()
            log.info("started", address=f"{address[0]}:{address[1]}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        runtime: Runtime = self.lifespan.state["runtime"]
        log.info("stopping", sockets=len(runtime.hub.sockets()))
        await runtime.drain()
        await super().shutdown(sockets)


def main() -> None:
    config = uvicorn.Config(
        application,
        host=settings.HOST,
        port=settings.PORT,
        loop="uvloop",
        http="httptools",
        ws=WebSocketProtocol,
        ws_max_size=MAX_FRAME,
        ws_per_message_deflate=False,
        ws_ping_interval=PING_EVERY,
        ws_ping_timeout=PING_WITHIN,
        lifespan="on",
        log_config=None,
        access_log=False,  # it would hold ?token=; realtime/http.py writes the request's line
        server_header=False,
        forwarded_allow_ips=settings.TRUSTED_PROXIES,
        timeout_graceful_shutdown=STOP_WITHIN,
    )
    Server(config).run()


if __name__ == "__main__":
    main()
