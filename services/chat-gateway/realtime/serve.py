"""Serves HTTP and WebSockets: `python -m realtime.serve`. SIGTERM: not ready, sockets closed with 1012, then the end."""

from __future__ import annotations

from config import settings  # first of all: a missing variable is told before the rest takes its time to import

# isort: split
import gc
import socket
from typing import TYPE_CHECKING

import structlog
import uvicorn

from realtime.asgi import application  # sets Django up
from realtime.frames import MAX_FRAME
from realtime.wire import HttpProtocol, WebSocketProtocol

if TYPE_CHECKING:
    from realtime.runtime import Runtime

STOP_WITHIN = 10  # seconds for what is under way, after the sockets were closed; all together less than Compose waits
YOUNG = 10_000  # objects that are looked through together; sockets leave no garbage that waits for that
PING_EVERY = 20.0  # seconds; far below what proxies take for silence
PING_WITHIN = 20.0  # seconds for the answer

log = structlog.get_logger()


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            gc.collect()
            gc.freeze()  # what is imported stays: looking through it again and again would hold everybody up
            gc.set_threshold(YOUNG)
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
        http=HttpProtocol,
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
