"""Django behind ASGI, with an end to bodies, and with a disk for long ones.

Django's own keeps a body of any length in /tmp, which in a container is a few megabytes of its memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import IO, Any

from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler

from tickets import files
from tickets.attachments import LARGEST_BODY, no_room
from tickets.errors import Problem, TooLarge, as_response

Receive = Callable[[], Awaitable[Mapping[str, Any]]]


class Handler(ASGIHandler):
    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().handle(scope, receive, send)
        except Problem as problem:  # of read_body; what a view raises was answered
            await self.send_response(as_response(problem), send)

    async def read_body(self, receive: Receive) -> IO[bytes]:
        body = files.spooled()
        try:
            await _fill(body, receive)
        except BaseException:
            body.close()
            raise
        body.seek(0)
        return body


async def _fill(body: IO[bytes], receive: Receive) -> None:
    """What there is no room for is read to its end all the same: whoever is still sending would be cut off by a reset
    connection, often before they had read why (nginx says 503 then)."""
    size, more, refused = 0, True, None
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestAborted
        piece, more = message.get("body", b""), message.get("more_body", False)
        size += len(piece)
        if size > LARGEST_BODY:
            raise TooLarge
        refused = refused or await _kept(body, piece, size)
    if refused:
        raise no_room(refused) from refused


async def _kept(body: IO[bytes], piece: bytes, size: int) -> OSError | None:
    try:
        if size > files.IN_MEMORY:  # a disk may be slow, and others are being served
            await asyncio.to_thread(body.write, piece)
        else:
            body.write(piece)
    except OSError as error:
        return error
    return None
