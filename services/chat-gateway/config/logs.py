"""One JSON line an event on stdout. Never a token, a password or a message's text."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

SERVICE = "chat-gateway"


def without_values(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """An exception as its type and where it came from; its text may quote a row, and so a message."""
    caught: Any = event.pop("exc_info", None)
    if caught is True:
        caught = sys.exc_info()
    error = caught[1] if isinstance(caught, tuple) else caught
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)[-8:]
        event["error"] = type(error).__name__
        event["where"] = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def named(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    event["service"] = SERVICE
    return event


def rendered(event: Mapping[str, Any], **_: object) -> bytes:
    return orjson.dumps(event, default=str)


def configure(level: str) -> None:
    """Our own events go straight to stdout (through `logging` each would take five times as long); others' as they do."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        named,
        without_values,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=rendered)],
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    last: list[structlog.typing.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.JSONRenderer(serializer=lambda event, **_: rendered(event).decode()),
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last, pass_foreign_args=False)
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # These would repeat the request's line, or write the path with its query.
    for name in ("uvicorn", "uvicorn.error", "psycopg.pool", "asyncio", "redis", "environ"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("django.request").setLevel(logging.CRITICAL)
