"""Request bodies have an end. FastAPI's own limit would answer in plain text."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 16 * 1024  # bytes; no other body here is longer than a few words
UPLOADS = "/stream/v1/uploads/"


class SmallBodies:
    """ASGI middleware: whoever reads a larger body gets an HTTPException 413, which problems.py renders."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(UPLOADS):  # which count for themselves
            await self.app(scope, receive, send)
            return
        size = 0

        async def receive_some() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > LARGEST:
                raise HTTPException(413)
            return message

        await self.app(scope, receive_some, send)
