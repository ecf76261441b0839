"""Web apps of other origins, LECTERN_ALLOWED_ORIGINS (the headers are those of deploy/contracts.md)."""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream_gateway.bodies import UPLOADS

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
ASK = ["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "If-Range", "Range"]
EXPOSED = [
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-ID",
]
# What tus needs besides, at uploads alone.
UPLOAD_ASK = [*ASK, "Tus-Resumable", "Upload-Checksum", "Upload-Length", "Upload-Metadata", "Upload-Offset"]
UPLOAD_ASK += ["X-HTTP-Method-Override"]
UPLOAD_EXPOSED = [*EXPOSED, "Location", "Tus-Checksum-Algorithm", "Tus-Extension", "Tus-Max-Size", "Tus-Resumable"]
UPLOAD_EXPOSED += ["Tus-Version", "Upload-Expires", "Upload-Length", "Upload-Metadata", "Upload-Offset"]
# Where a playback's or a download's cookie comes from and goes to. nginx says the same of its own refusals (origins.conf.template).
BY_COOKIE = re.compile(r"/stream/v1/(?:playback|p/.*|attachments/.*)")


class CrossOrigin:
    """Starlette's CORS for the allowed origins, with cookies only where a playback needs its own. Others get no word of it."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self.app, self.origins = app, frozenset(origins)
        self.with_cookies, self.without = (
            CORSMiddleware(app, self.origins, METHODS, ASK, allow_credentials=cookies, expose_headers=EXPOSED)
            for cookies in (True, False)
        )

        self.uploads = CORSMiddleware(app, self.origins, METHODS, UPLOAD_ASK, expose_headers=UPLOAD_EXPOSED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif Headers(scope=scope).get("origin") not in self.origins:
            await self.app(scope, receive, _varying(send))
        elif BY_COOKIE.fullmatch(scope["path"]):
            await self.with_cookies(scope, receive, send)
        elif scope["path"].startswith(UPLOADS):
            await self.uploads(scope, receive, send)
        else:
            await self.without(scope, receive, send)


def _varying(send: Send) -> Send:
    """Tells caches that the answer to somebody else may differ."""

    async def with_vary(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).add_vary_header("Origin")
        await send(message)

    return with_vary
