"""Where the request comes from that is being answered, for whoever records what it did."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse

from config.client_address import client_address


@dataclass(frozen=True)
class Origin:
    address: str | None = None
    request_id: str = ""


NOWHERE = Origin()  # a job or a command
_current: ContextVar[Origin] = ContextVar("origin", default=NOWHERE)


def current_origin() -> Origin:
    return _current.get()


class OriginMiddleware:
    """Stands behind ClientAddressMiddleware, whose word about the address it takes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        origin = Origin(client_address(request), request.headers.get("X-Request-ID", "")[:64])
        token = _current.set(origin)
        try:
            return self.get_response(request)
        finally:
            _current.reset(token)
