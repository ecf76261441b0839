"""A bare ASGI relay: what a message goes through where nobody is asked who they are and nothing is stored.

Sockets of this process get it at once, those of others through one Redis subscription a process; what waits is sent together.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from typing import Any

import orjson
import redis.asyncio

CHANNEL = "relay"
ME = uuid.uuid4().hex
rooms: dict[str, set[Any]] = {}
pending: list[tuple[str, str]] = []
wanted = asyncio.Event()


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    name = scope["path"]
    room = rooms.setdefault(name, set())
    room.add(send)
    try:
        while (event := await receive())["type"] == "websocket.receive":
            text = orjson.dumps({"message": orjson.loads(event["text"])["message"]}).decode()
            pending.append((name, text))
            wanted.set()
            await _deliver(name, text)
    finally:
        room.discard(send)


async def _deliver(name: str, text: str) -> None:
    for send in list(rooms.get(name, ())):
        await send({"type": "websocket.send", "text": text})


async def _lifespan(receive: Any, send: Any) -> None:
    tasks = [asyncio.create_task(_publish()), asyncio.create_task(_listen())]
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    for task in tasks:
        task.cancel()
    await send({"type": "lifespan.shutdown.complete"})


async def _publish() -> None:
    client = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"])
    while True:
        await wanted.wait()
        wanted.clear()
        waiting = pending.copy()
        pending.clear()
        await client.publish(CHANNEL, orjson.dumps([ME, waiting]))


async def _listen() -> None:
    client = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=None)
    subscription = client.pubsub()
    await subscription.subscribe(CHANNEL)
    async for event in subscription.listen():
        if event["type"] == "message":
            sender, waiting = orjson.loads(event["data"])
            if sender != ME:
                for name, text in waiting:
                    await _deliver(name, text)
