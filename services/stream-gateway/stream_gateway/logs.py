"""One JSON line an event on stdout, and what happens to every request: its id, its line, its place in the metrics."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream_gateway import metrics
from stream_gateway.problems import INTERNAL_ERROR

SERVICE = "stream-gateway"
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
WRITE_EVERY = 0.2  # seconds
QUIET = {"/healthz", "/readyz", "/metrics"}  # asked every few seconds: logged when they fail

log = structlog.stdlib.get_logger(SERVICE)
_standard = logging.getLogger(SERVICE)


def configure(level: str) -> None:
    """Sends structlog's events and the standard library's (uvicorn, psycopg) through one renderer."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_service,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stdout)
    final: list[structlog.typing.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.JSONRenderer(),
    ]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=final))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("psycopg.pool").setLevel("ERROR")  # a warning a second while the database is away


class Requests:
    """ASGI middleware around everything: request id, one log line, metrics, and a problem for what nobody caught."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        identity, status, started = request_id(dict(scope["headers"]).get(b"x-request-id", b"")), 0, time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=identity)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", identity.encode())]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            log.exception("unhandled")
            if status:
                raise  # half an answer is out already: only breaking the connection tells the client
            await INTERNAL_ERROR.response()(scope, receive, send_with_id)
        finally:
            _record(scope, status, time.perf_counter() - started)


class Lines:
    """The lines of files.py, which are many and all alike: put together by hand and written a few times a second."""

    def __init__(self) -> None:
        self._waiting: list[str] = []

    def request(self, identity: str, method: str, path: str, seconds: float, user: UUID | None) -> None:
        """Each argument was matched before: nothing in it needs quoting in JSON. Needs a running event loop."""
        if not _standard.isEnabledFor(logging.INFO):
            return
        if not self._waiting:
            asyncio.get_running_loop().call_later(WRITE_EVERY, self.write)
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        who = f', "user": "{user}"' if user else ""
        self._waiting.append(
            f'{{"method": "{method}", "path": "{path}", "status": 200, "duration_ms": {seconds * 1000:.1f}{who},'
            f' "event": "request", "request_id": "{identity}", "level": "info", "timestamp": "{at}", "service": "{SERVICE}"}}\n'
        )

    def write(self) -> None:
        lines, self._waiting = self._waiting, []
        sys.stdout.write("".join(lines))
        sys.stdout.flush()


LINES = Lines()


def _record(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "none")
    metrics.REQUESTS.labels(scope["method"], route, status).inc()
    metrics.DURATION.labels(route).observe(seconds)
    if scope["path"] in QUIET and status < 500:
        return
    state = scope.get("state", {})
    facts: dict[str, Any] = {"user": state.get("user"), "failure": state.get("failure")}
    log.info(
        "request",
        method=scope["method"],
        path=scope["path"],
        status=status,
        duration_ms=round(seconds * 1000, 1),
        **{name: str(value) for name, value in facts.items() if value is not None},
    )


def request_id(header: bytes) -> str:
    """nginx's id, or one of our own where nobody in front made one."""
    given = header.decode("latin-1")
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _add_service(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["service"] = SERVICE
    return event
