"""What tus wants of every request and answer."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream_gateway.uploads.protocol import VERSION

OVERRIDE, MEANT = "X-HTTP-Method-Override", {"HEAD", "PATCH", "DELETE"}


class Tus:
    """ASGI middleware for the paths `below`: answers say which version of tus they speak, refusals too, and a POST may mean
    another method, for whoever has a proxy that lets no other through.
    """

    def __init__(self, app: ASGIApp, below: str) -> None:
        self.app, self._below = app, below

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._below):
            await self.app(scope, receive, send)
            return
        if scope["method"] == "POST" and (meant := Headers(scope=scope).get(OVERRIDE)) in MEANT:
            scope["method"] = meant

        async def send_version(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Tus-Resumable"] = VERSION
            await send(message)

        await self.app(scope, receive, send_version)
