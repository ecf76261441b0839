"""What processes tell each other through Redis, and what survives when it is away."""

from __future__ import annotations

import asyncio
import time
import uuid

import pytest

from deploy.embedded.redis import Redis, find_program
from realtime import hints
from tests import sockets
from tests.server import BY_EVENTS_ALONE, ChatServer, needs_redis
from tests.sockets import talking
from tickets.events import TicketEvent


@pytest.fixture
def own_redis():
    redis = Redis(find_program() or "")
    redis.start()
    yield redis
    redis.stop()


@needs_redis
async def test_two_processes_hear_each_other(server, world, ticket, alice, bob):
    other = ChatServer(BY_EVENTS_ALONE).start()
    try:
        a, b = await talking(server, ticket["id"], alice), await talking(other, ticket["id"], bob, 1)
        await a.send(type="message", client_id="x", message="Hello")
        assert (await b.messages(1))[0]["client_id"] == "x"
    finally:
        await sockets.close_all()
        other.stop()


@needs_redis
async def test_a_redis_that_restarts_loses_nothing(own_redis, world, ticket, alice, bob):
    servers = [ChatServer(REDIS_URL=own_redis.url).start() for _ in range(2)]
    try:
        a = await talking(servers[0], ticket["id"], alice)
        b = await talking(servers[1], ticket["id"], bob)
        await b.messages(1)
        await a.send(type="message", client_id="before", message="before")
        assert (await b.messages(1))[0]["client_id"] == "before"
        await a.next("ack")
        own_redis.stop()
        await a.send(type="message", client_id="during", message="during")
        assert (await a.next("ack"))["seq"] == 3
        assert (await b.messages(1))[0]["client_id"] == "during"  # by the sweep
        own_redis.start()
        await a.send(type="message", client_id="after", message="after")
        assert (await b.messages(1))[0]["client_id"] == "after"
        assert await b.silent()
    finally:
        await sockets.close_all()
        for server in servers:
            server.stop()


async def test_without_redis_one_process_serves(world, ticket, alice, bob):
    server = ChatServer(REDIS_URL="").start()
    try:
        a, b = await talking(server, ticket["id"], alice), await talking(server, ticket["id"], bob)
        await b.messages(1)
        await a.send(type="message", client_id="x", message="Hello")
        assert (await b.messages(1))[0]["message"] == "Hello"
        assert "without_redis" in server.log.read_text()
    finally:
        await sockets.close_all()
        server.stop()


@needs_redis
async def test_an_idle_subscription_outlives_the_defaults_of_redis_py(own_redis, monkeypatch):
    monkeypatch.setattr(hints, "PROBE_AFTER", 0.2)
    heard: asyncio.Queue[TicketEvent] = asyncio.Queue()

    async def on_gap() -> None:
        pass

    listener = hints.Hints(own_redis.url, heard.put_nowait, on_gap)
    speaker = hints.Hints(own_redis.url, heard.put_nowait, on_gap)
    tasks = [asyncio.create_task(listener.listen_forever()), asyncio.create_task(speaker.publish_forever())]
    await asyncio.sleep(1.5)  # several rounds of silence, ping, pong
    connected = listener.connected
    event = TicketEvent(uuid.uuid4(), 7, True)
    speaker.tell(event)
    assert await asyncio.wait_for(heard.get(), 5) == event
    assert connected
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@needs_redis
@pytest.mark.long
async def test_a_minute_without_redis_loses_nothing(own_redis, world, ticket, alice, bob):
    servers = [ChatServer(REDIS_URL=own_redis.url).start() for _ in range(2)]
    try:
        a, b = await talking(servers[0], ticket["id"], alice, 1), await talking(servers[1], ticket["id"], bob, 1)
        own_redis.stop()
        ends = time.monotonic() + 60
        number = 0
        while time.monotonic() < ends:
            await a.send(type="message", client_id=f"n{number}", message="Still here")
            assert (await a.next("ack"))["seq"] == number + 2
            assert (await b.next("message"))["client_id"] == f"n{number}"  # by the sweep, within 5 s
            number += 1
        own_redis.start()
        await asyncio.sleep(2)  # until both are connected again
        began = time.monotonic()
        await b.send(type="message", client_id="after", message="It is back")
        while (await a.next("message"))["client_id"] != "after":
            pass
        assert time.monotonic() - began < 1  # by a hint
    finally:
        await sockets.close_all()
        for server in servers:
            server.stop()
