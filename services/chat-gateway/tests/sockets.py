"""WebSocket clients as the tests use them: every wait is bounded."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests import crowd
from tests.world import User

WITHIN = 10.0  # seconds
OPEN: list[ClientConnection] = []


class Client:
    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **frame: Any) -> None:
        await self.connection.send(json.dumps(frame))

    async def raw(self) -> str:
        return str(await asyncio.wait_for(self.connection.recv(), WITHIN))

    async def next(self, kind: str | None = None) -> dict[str, Any]:
        """The next frame (of that type; others before it are skipped)."""
        while True:
            frame = json.loads(await self.raw())
            if kind is None or frame.get("type") == kind:
                return dict(frame)

    async def messages(self, count: int) -> list[dict[str, Any]]:
        """The next so many messages."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            frame = json.loads(await self.raw())
            if frame.get("type", "message") == "message":
                found.append(frame)
        return found

    async def silent(self, kind: str = "message", seconds: float = 0.3) -> bool:
        """Whether no frame of that type comes for so long."""
        try:
            while True:
                frame = json.loads(await asyncio.wait_for(self.connection.recv(), seconds))
                if frame.get("type", "message") == kind:
                    return False
        except TimeoutError:
            return True

    async def closed(self) -> int | None:
        """Reads until the server closes; the close code."""
        try:
            while True:
                await self.raw()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


async def opened(address: str, *protocols: str, **options: Any) -> Client:
    subprotocols: Any = list(protocols) or None
    connection = await connect(address, subprotocols=subprotocols, compression=None, close_timeout=1, **options)
    OPEN.append(connection)
    return Client(connection)


async def close_all() -> None:
    await asyncio.gather(*(connection.close() for connection in OPEN))
    OPEN.clear()
    await crowd.all_gone()


async def talking(server: Any, ticket: Any, user: User, since: int | None = 0) -> Client:
    """A chat.v1 client that has said hello."""
    client = await opened(server.chat(ticket, f"?token={user.token()}"), "chat.v1")
    await client.send(type="hello", since=since)
    assert (await client.next())["type"] == "welcome"
    return client


async def ask(server: Any, user: User, method: str, path: str, body: Any = None) -> httpx.Response:
    async with httpx.AsyncClient(base_url=f"{server.url}/chat/v1", timeout=WITHIN) as client:
        return await client.request(method, path, json=body, headers={"Authorization": f"Bearer {user.token()}"})
