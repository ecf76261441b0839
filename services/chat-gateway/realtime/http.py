"""Around Django's HTTP: health and metrics (answered without Django) and the request's log line."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from realtime.runtime import Runtime

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")

log = structlog.get_logger()


def header(scope: MutableMapping[str, Any], wanted: bytes) -> str | None:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), None)


def request_id(scope: MutableMapping[str, Any]) -> str:
    """The one that nginx made, else a new one."""
    given = header(scope, b"x-request-id")
    return given if given and REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


async def respond(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Operations:
    """/healthz (alive), /readyz (can reach what it needs), /metrics. nginx does not route these."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        runtime: Runtime = scope["state"]["runtime"]
        if scope["path"] == "/healthz":
            await self._status(send, None)
        elif scope["path"] == "/readyz":
            await self._status(send, await runtime.not_ready())
        elif scope["path"] == "/metrics":
            await respond(send, 200, generate_latest(), [(b"content-type", CONTENT_TYPE_LATEST.encode())])
        else:
            await self.app(scope, receive, send)

    async def _status(self, send: Send, lacking: str | None) -> None:
        body = orjson.dumps({"status": lacking or "ok"})
        await respond(send, 503 if lacking else 200, body, [(b"content-type", b"application/json")])


class RequestLog:
    """One line a request, without its query; and its id in every line in between and in the answer."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        structlog.contextvars.clear_contextvars()
        identity, started, status = request_id(scope), time.perf_counter(), 500
        structlog.contextvars.bind_contextvars(request_id=identity)

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", identity.encode())]
            await send(message)

        try:
            await self.app(scope, receive, watched if scope["type"] == "http" else send)
        finally:
            if scope["type"] == "http":
                log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    duration_ms=round((time.perf_counter() - started) * 1000, 1),
                    user=scope.get("lectern.user"),
                )
