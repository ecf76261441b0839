"""One JSON line an event on stdout, with the request id that nginx made. Never a token, a password or a query string."""

from __future__ import annotations

import logging
import logging.config
import time
from collections.abc import Callable
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

QUIET_PATHS = ("/healthz", "/readyz", "/metrics")
log = structlog.get_logger("lectern.requests")


def configure(options: dict[str, Any]) -> None:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        lambda _logger, _method, event: {"service": "core-api", **event},
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[options["level"]]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "json": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        structlog.processors.JSONRenderer(),
                    ],
                    "foreign_pre_chain": shared,
                }
            },
            "handlers": {
                "stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}
            },
            "root": {"handlers": ["stdout"], "level": options["level"]},
            "loggers": {
                "django.server": {"level": "ERROR"},
                "django.request": {"level": "ERROR"},
                "procrastinate.blueprints": {"level": "WARNING"},  # it tells at each start which tasks there are
                "procrastinate.periodic": {"level": "WARNING"},
            },
        }
    )


class RequestLogMiddleware:
    """Binds the request id to every event of a request, and writes the request's own line."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request.headers.get("X-Request-ID", "")[:64])
        started = time.perf_counter()
        response = self.get_response(request)
        if request.path not in QUIET_PATHS:
            log.info(
                "request",
                method=request.method,
                path=request.path,
                status=response.status_code,
                duration_ms=round((time.perf_counter() - started) * 1000, 1),
                user=_who_asked(request),
            )
        return response


def _who_asked(request: HttpRequest) -> str | None:
    """The id of the person, if the view wanted to know: looking them up now would spoil the answer where the database is away."""
    user = getattr(request, "user", None)
    if user is None or (isinstance(user, SimpleLazyObject) and not hasattr(request, "_cached_user")):
        return None
    return str(user.pk) if user.is_authenticated else None
