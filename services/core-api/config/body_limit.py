"""How large a request's body may be. nginx is stricter for most routes; this holds without it, too."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from config.problems import TooLarge, respond

MAX_BODY = 1024 * 1024  # bytes, kept in memory
MAX_FORM = 100 * 1024 * 1024  # bytes of multipart/form-data (attachments, posters), spooled to disk


class BodyLimitMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Django reads Content-Length bytes and no more, so what a client declares is what it can send.
        declared = request.META.get("CONTENT_LENGTH") or "0"
        limit = MAX_FORM if (request.content_type or "") == "multipart/form-data" else MAX_BODY
        if declared.isdecimal() and int(declared) > limit:
            return respond(TooLarge())
        return self.get_response(request)
