"""kill -9 at each point of a message's way: what was acknowledged is there, and what is sent again is there once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests import sockets
from tests.conftest import DATABASE, POSTGRES, url
from tests.server import ChatServer, wait_for
from tests.sockets import talking

DIES_BETWEEN_COMMIT_AND_ACK = """
import os
from realtime.store import Store
append = Store.append
async def append_and_die(*arguments):
    row = await append(*arguments)
    if row.body == "Die":
        os.kill(os.getpid(), 9)
    return row
Store.append = append_and_die
"""


@pytest.fixture
async def mortal(world):
    """mortal(first): a server that a test kills, or that dies by itself."""
    servers: list[ChatServer] = []

    def start(first: str = "") -> ChatServer:
        servers.append(ChatServer(first).start())
        return servers[-1]

    yield start
    await sockets.close_all()
    for server in servers:
        server.stop(9)


async def kept_once_when_sent_again(server: ChatServer, ticket: Any, person: Any) -> None:
    client = await talking(server, ticket["id"], person)
    await client.send(type="message", client_id="k", message="Once more")
    assert (await client.next("ack"))["seq"] == 2
    again = await talking(server, ticket["id"], person)
    assert [m["client_id"] for m in await again.messages(2)] == [None, "k"]
    assert await again.silent()


def head_of(ticket: Any) -> int:
    with psycopg.connect(url("chat_owner")) as connection:
        row = connection.execute("SELECT head_seq FROM chat.ticket WHERE id = %s", [ticket["id"]]).fetchone()
        assert row
        return int(row[0])


async def test_killed_before_the_commit(mortal: Callable[..., ChatServer], ticket, alice):
    server = mortal()
    client = await talking(server, ticket["id"], alice)
    with psycopg.connect(url("chat_owner")) as holder, psycopg.connect(POSTGRES, autocommit=True) as admin:
        holder.execute("SELECT 1 FROM chat.ticket WHERE id = %s FOR UPDATE", [ticket["id"]])
        await client.send(type="message", client_id="k", message="Die")
        waiting = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
        )
        is_waiting = waiting.replace("pg_terminate_backend(pid)", "pid")
        await asyncio.to_thread(wait_for, lambda: admin.execute(is_waiting, [DATABASE]).fetchall())
        server.stop(9)
        admin.execute(waiting, [DATABASE])  # its connection is gone, which PostgreSQL would notice after the commit
    assert head_of(ticket) == 1
    await kept_once_when_sent_again(mortal(), ticket, alice)


async def test_killed_between_the_commit_and_the_ack(mortal: Callable[..., ChatServer], ticket, alice):
    client = await talking(mortal(DIES_BETWEEN_COMMIT_AND_ACK), ticket["id"], alice)
    await client.messages(1)
    await client.send(type="message", client_id="k", message="Die")
    assert await client.closed() is None  # without a word: no ack, no close code
    assert head_of(ticket) == 2
    await kept_once_when_sent_again(mortal(), ticket, alice)


async def test_killed_after_the_ack(mortal: Callable[..., ChatServer], ticket, alice):
    server = mortal()
    client = await talking(server, ticket["id"], alice)
    for number in range(2, 12):
        await client.send(type="message", client_id="k" if number == 2 else f"k{number}", message=f"k{number}")
        assert (await client.next("ack"))["seq"] == number
    server.stop(9)
    server.start()
    client = await talking(server, ticket["id"], alice)
    assert [m["client_id"] for m in await client.messages(11)] == [None, "k", *(f"k{n}" for n in range(3, 12))]
