"""What takes time, on a server whose waits are shortened: a token's end, a reader who does not read, silence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import psutil
import pytest

from tests import sockets
from tests.crowd import CLOSE, PING, joined, masked
from tests.server import BY_EVENTS_ALONE, ChatServer, wait_for
from tests.sockets import opened, talking
from tests.test_crowds import fill

# The longest of them is 1 s instead of 20 s (WebSocket pings) and 15 s (Redis): 6 s of silence outlast any two of them.
SHORTENED = """
from realtime import hints, sockets, wire
sockets.AUTH_WITHIN, sockets.SEND_WITHIN, sockets.WARN_BEFORE, sockets.GRACE_AFTER = 0.5, 1.0, 4.0, 1.0
serve.PING_EVERY = serve.PING_WITHIN = hints.PROBE_AFTER = wire.LINGER = 1.0
"""


@pytest.fixture(scope="module")
def hasty(world) -> Iterator[ChatServer]:
    server = ChatServer(BY_EVENTS_ALONE + SHORTENED).start()
    yield server
    server.stop(9)


@pytest.fixture
async def quick(hasty):
    yield hasty
    await sockets.close_all()


async def test_who_brings_no_token_in_time_is_closed(quick, ticket):
    client = await opened(quick.chat(ticket["id"]), "chat.v1")
    assert await client.closed() == 4401


async def test_who_brings_a_good_token_in_time_is_let_in_however_long_the_database_takes(quick, world, ticket, alice):
    client = await opened(quick.chat(ticket["id"]), "chat.v1")
    with world.connection.transaction():
        world.connection.execute("LOCK TABLE core.principal IN ACCESS EXCLUSIVE MODE")
        await client.send(type="auth", token=alice.token())
        await client.send(type="hello")
        await asyncio.sleep(1)  # longer than whoever brings no token has
    assert (await client.next())["type"] == "welcome"


async def test_a_token_that_ends_is_announced_then_the_socket_is_closed(quick, ticket, alice):
    ends = int(time.time()) + 2
    client = await opened(quick.chat(ticket["id"], f"?token={alice.token(exp=ends)}"), "chat.v1")
    plain = await opened(quick.chat(ticket["id"], f"?token={alice.token(exp=ends)}"))
    assert (await client.next("token_expiring"))["expires_at"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends))
    assert await client.closed() == 4401
    assert time.time() > ends + 0.9  # not before the grace is over
    assert await plain.closed() == 4401


async def test_a_refreshed_token_keeps_the_socket(quick, ticket, alice):
    ends = int(time.time()) + 1
    client = await opened(quick.chat(ticket["id"], f"?token={alice.token(exp=ends)}"), "chat.v1")
    await client.send(type="refresh", token=alice.token())
    await asyncio.sleep(3)  # beyond the old token's end and its grace
    await client.send(type="ping")
    assert await client.next("pong") == {"type": "pong"}


async def test_a_socket_that_is_idle_for_long_is_alive(quick, ticket, alice, bob):
    silent, talker = await talking(quick, ticket["id"], alice, None), await talking(quick, ticket["id"], bob, None)
    await asyncio.sleep(6)
    await talker.send(type="message", client_id="x", message="Still there?")
    assert (await silent.next("message"))["client_id"] == "x"


async def test_who_does_not_read_is_closed_with_4408_and_takes_no_memory(quick, ticket, alice, bob):
    fill(ticket["id"], alice, 5_000, "x" * 4_000)  # 20 MB
    before = psutil.Process(quick.pid).memory_info().rss
    stalled = await joined(quick.address, ticket["id"], alice.token(), since=0)
    talker = await talking(quick, ticket["id"], bob, None)
    await asyncio.sleep(2)  # the point is not to read for longer than the limit
    await talker.send(type="message", client_id="x", message="Is it only you?")
    assert (await talker.next("message"))["client_id"] == "x"
    assert psutil.Process(quick.pid).memory_info().rss - before < 8 * 1024 * 1024
    assert await stalled.closed() == 4408


async def test_who_pings_without_reading_takes_no_memory(quick, ticket, alice):
    stalled = await joined(quick.address, ticket["id"], alice.token())
    before = psutil.Process(quick.pid).memory_info().rss
    pings = masked(PING, bytes(125)) * 8_000
    for _ in range(20):  # 20 MB of them
        stalled.writer.write(pings)
        await asyncio.wait([asyncio.create_task(stalled.writer.drain())], timeout=0.5)
    assert psutil.Process(quick.pid).memory_info().rss - before < 8 * 1024 * 1024
    stalled.vanish()


@pytest.mark.parametrize(
    "last", [masked(CLOSE, b""), masked(1, b"x" * 17_000)], ids=["a good-bye", "too large a frame"]
)
async def test_who_ends_without_reading_leaves_no_connection_behind(quick, ticket, alice, last):
    fill(ticket["id"], alice, 5_000, "x" * 4_000)
    stalled = await joined(quick.address, ticket["id"], alice.token(), since=0)
    port = stalled.writer.get_extra_info("sockname")[1]
    await asyncio.sleep(0.5)  # the point is not to read: until the connection takes no more
    stalled.writer.write(last)

    def is_gone() -> bool:
        return port not in {each.raddr.port for each in psutil.Process(quick.pid).net_connections() if each.raddr}

    await asyncio.to_thread(wait_for, is_gone, seconds=20)
