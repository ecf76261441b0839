"""How large a request's body may be. nginx is stricter for most routes; this holds without it, too."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from django.http import HttpRequest, HttpResponse

from config.problems import TooLarge, answer

MAX_BODY = 1024 * 1024  # bytes, kept in memory
MAX_FILE = 101 * 1024 * 1024  # bytes: a file of at most 100 MiB, in a form or by itself, spooled to disk
IN_MEMORY = ("", "application/json", "application/x-www-form-urlencoded")


class BodyLimitMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Django reads Content-Length bytes and no more, so what a client declares is what it can send.
        declared = request.META.get("CONTENT_LENGTH") or "0"
        limit = MAX_BODY if (request.content_type or "") in IN_MEMORY else MAX_FILE
        if declared.isdecimal() and int(declared) > limit:
            return answer(request, TooLarge(f"The body is larger than the {limit // 2**20} MiB that are accepted."))
        response = self.get_response(request)
        _read_what_is_left(request)
        return response


def _read_what_is_left(request: HttpRequest) -> None:
    """Of a body that was refused unread, by a 401 or a 404: whoever closes a connection before all of it is read resets it, and
    nginx, still sending, then loses the answer and says 503."""
    with suppress(OSError):  # the client has gone
        while request.read(64 * 1024):
            pass
