"""What survives when this service or its database dies, and what is in its logs then (test_redis_away.py: Redis)."""

from __future__ import annotations

import asyncio
import json
import os
import time
from datetime import timedelta
from functools import partial

import httpx
import psycopg
import pytest
from channels.db import database_sync_to_async
from django.db import connections
from django.db.models.functions import Now

from deploy.embedded.databases import ROLES, database_url, make_database
from deploy.embedded.postgres import Postgres
from tests import sockets
from tests.conftest import DATABASE, PASSWORD, POSTGRES, manage
from tests.server import ChatServer, needs_redis, wait_for
from tests.sockets import ask, opened, talking
from tests.world import World, publish
from tickets.models import AgentStatus, Assignment


async def test_a_message_whose_ack_was_lost_is_sent_again_and_kept_once(own_server, ticket, alice):
    client = await talking(own_server, ticket["id"], alice)
    sent = [client.send(type="message", client_id=f"k{number}", message=f"k{number}") for number in range(10)]
    await asyncio.gather(*sent)
    own_server.stop(9)  # some are committed, some are not, few are acknowledged
    own_server.start()
    client = await talking(own_server, ticket["id"], alice, since=1)
    for number in range(10):
        await client.send(type="message", client_id=f"k{number}", message=f"k{number}")
    heard = await client.messages(10)
    assert [m["seq"] for m in heard] == list(range(2, 12))
    assert {m["client_id"] for m in heard} == {f"k{number}" for number in range(10)}


@pytest.fixture
def outage():
    """outage.begin() refuses the runtime role's connections and ends those that are there; outage.end()."""
    with psycopg.connect(POSTGRES, autocommit=True) as admin:

        class Outage:
            def cut(self) -> None:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = %s",
                    [DATABASE, "lectern_chat"],
                )

            def begin(self) -> None:
                admin.execute("ALTER ROLE lectern_chat NOLOGIN")
                self.cut()

            def end(self) -> None:
                admin.execute("ALTER ROLE lectern_chat LOGIN")

        outage = Outage()
        yield outage
        outage.end()
        connections.close_all()  # the test's own were cut too
        connections["default"].close_pool()


async def test_connections_that_break_are_not_noticed(server, outage, ticket, alice, bob):
    a, b = await talking(server, ticket["id"], alice), await talking(server, ticket["id"], bob)
    await b.messages(1)
    for number in range(3):
        outage.cut()
        await a.send(type="message", client_id=f"n{number}", message="Still here")
        assert (await a.next("ack"))["seq"] == number + 2
        assert (await b.messages(1))[0]["seq"] == number + 2
        assert (await ask(server, alice, "GET", f"/tickets/{ticket['id']}/")).json()["head_seq"] == number + 2


async def test_while_the_database_is_away_nothing_is_acknowledged_and_nothing_is_lost(
    server, outage, ticket, alice, bob
):
    a, b = await talking(server, ticket["id"], alice), await talking(server, ticket["id"], bob)
    await b.messages(1)
    outage.begin()
    await a.send(type="message", client_id="x", message="Anybody?")
    error = await a.next("error")
    assert (error["code"], error["client_id"]) == ("unavailable", "x")
    refused = await ask(server, alice, "GET", "/tickets/")
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{server.url}/readyz")).status_code == 503
    assert await (await opened(server.chat(ticket["id"], f"?token={bob.token()}"))).closed() == 1013
    outage.end()
    await a.send(type="message", client_id="x", message="Anybody?")
    assert (await a.next("ack"))["seq"] == 2
    assert (await b.messages(1))[0]["client_id"] == "x"
    await asyncio.to_thread(wait_for, lambda: httpx.get(f"{server.url}/readyz").status_code == 200)


AWAY_WHEN_HALF_IN = """
import psycopg
from realtime.runtime import Runtime
person = Runtime.person
async def person_once(self, claims, *, arriving=False):
    if not arriving:
        raise psycopg.OperationalError("away")
    return await person(self, claims, arriving=arriving)
Runtime.person = person_once
"""


async def test_who_is_half_in_when_the_database_goes_is_closed_whichever_way_they_brought_their_token(
    world, ticket, alice
):
    server = ChatServer(AWAY_WHEN_HALF_IN).start()
    try:
        by_frame = await opened(server.chat(ticket["id"]), "chat.v1")
        await by_frame.send(type="auth", token=alice.token())
        assert await by_frame.closed() == 1013  # not left inside, with nobody watching the token's end
        assert await (await opened(server.chat(ticket["id"], f"?token={alice.token()}"), "chat.v1")).closed() == 1013
    finally:
        await sockets.close_all()
        server.stop(9)


async def test_hints_that_nobody_hears_cost_latency_only(own_server, world, ticket, alice):
    """Another way in than this process: nobody is told, the sweep finds it."""
    from tickets import actions, people

    client = await talking(own_server, ticket["id"], alice)
    await client.messages(1)

    def write() -> None:
        from django.db import connection

        person = people.find(people.Claims(alice.id, alice.username, 0, alice.session, 0))
        assert person
        actions.append_message(person, ticket["id"], "From elsewhere", None)
        connection.close()

    await asyncio.to_thread(write)
    assert (await client.messages(1))[0]["message"] == "From elsewhere"


async def test_an_agents_open_socket_keeps_them_present(own_server, world, category, alice, bob):
    await ask(own_server, bob, "PUT", "/agents/me/", {"status": "online"})
    body = {"category": category[1], "subject": "Help", "message": "Please"}
    ticket = (await ask(own_server, alice, "POST", "/tickets/", body)).json()
    assert ticket["assignee"] == bob.username
    leases = AgentStatus.objects.filter(user_id=bob.id)
    await database_sync_to_async(leases.update)(lease_until=Now() + timedelta(seconds=3))
    client = await talking(own_server, ticket["id"], bob)
    deadline = time.monotonic() + 8
    renewed = leases.filter(lease_until__gt=Now() + timedelta(seconds=30))
    while not await database_sync_to_async(renewed.exists)():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    learner = await talking(own_server, ticket["id"], alice)  # before anything changes, or she would not be told
    await client.connection.close()
    gone = asyncio.create_task(learner.next("assigned"))
    while not gone.done():  # what was renewing it when they closed may come later
        await database_sync_to_async(leases.update)(lease_until=Now() - timedelta(seconds=70))
        await asyncio.wait([gone], timeout=0.2)
    assert gone.result() == {"type": "assigned", "state": "queued", "assignee": None}


async def test_agents_who_come_back_after_all_was_down_keep_their_tickets(world, category, call, alice, bob):
    """An upgrade, or a restart of the machine, takes longer than their leases."""
    assert (await database_sync_to_async(call)(bob, "PUT", "/agents/me/", {"status": "online"})).status_code == 200
    body = {"category": category[1], "subject": "Help", "message": "Please"}
    ticket = (await database_sync_to_async(call)(alice, "POST", "/tickets/", body)).json()
    assert ticket["assignee"] == bob.username
    leases = AgentStatus.objects.filter(user_id=bob.id)
    await database_sync_to_async(leases.update)(lease_until=Now() - timedelta(hours=1))
    server = ChatServer("from realtime import runtime; runtime.SWEEP_EVERY = 0.2").start()
    try:
        await opened(f"ws://{server.address}/ws/desk/?token={bob.token()}", "chat.v1")
        renewed = leases.filter(lease_until__gt=Now())
        await database_sync_to_async(wait_for)(renewed.exists)
    finally:
        await sockets.close_all()
        server.stop()
    reasons = Assignment.objects.filter(ticket=ticket["id"]).values_list("reason", flat=True)
    assert await database_sync_to_async(list)(reasons) == ["assigned"]


QUICKLY_GONE = """
from datetime import timedelta
from realtime import runtime
from tickets import assignment
assignment.LEASE, assignment.GRACE = timedelta(seconds=3), timedelta(seconds=0.5)
runtime.SWEEP_EVERY = 0.5
"""
SLOW_TO_COME_BACK = """
import asyncio
from realtime.store import Store
renew = Store.renew_leases
async def renew_later(*arguments):
    await asyncio.sleep(1)
    await renew(*arguments)
Store.renew_leases = renew_later
"""


@needs_redis
async def test_agents_keep_their_tickets_when_the_database_was_away_for_longer_than_they_may_be(
    world, outage, category, alice
):
    """Their desks stayed open, in two processes: the first that is back must not take those of the other's agents."""
    servers = [ChatServer(first).start() for first in (QUICKLY_GONE, QUICKLY_GONE + SLOW_TO_COME_BACK)]
    try:
        for server in servers:
            agent = world.agent("agent", category[0], capacity=2)
            desk = await opened(f"ws://{server.address}/ws/desk/?token={agent.token()}", "chat.v1")
            await desk.send(type="status", status="online")
            await desk.send(type="ping")
            await desk.next("pong")
        body = {"category": category[1], "subject": "Help", "message": "Please"}
        tickets = [(await ask(servers[0], alice, "POST", "/tickets/", body)).json() for _ in range(4)]
        assert [ticket["state"] for ticket in tickets] == ["open"] * 4
        outage.begin()
        await asyncio.sleep(5)  # the point is its length: more than lease and grace
        outage.end()
        await asyncio.sleep(3)  # several rounds of everybody's housekeeping
    finally:
        await sockets.close_all()
        for server in servers:
            server.stop()
    reasons = Assignment.objects.filter(ticket__in=[ticket["id"] for ticket in tickets]).values_list(
        "reason", flat=True
    )
    assert await database_sync_to_async(list)(reasons) == ["assigned"] * 4


def test_no_token_and_no_message_is_in_any_log(running_server, world, ticket, alice, bob):
    """A real conversation with ?token=, good and bad, at log level debug."""
    tokens = [alice.token(), alice.token(typ="refresh"), alice.token(aud="others")]
    secret_text = "the drains are blocked again"

    async def talk() -> None:
        for token in tokens:
            client = await opened(running_server.chat(ticket["id"], f"?token={token}"))
            await client.send(message=secret_text) if token == tokens[0] else await client.closed()
        await ask(running_server, bob, "POST", f"/tickets/{ticket['id']}/messages/", {"message": secret_text})
        await ask(running_server, bob, "POST", f"/tickets/{ticket['id']}/messages/?token={tokens[0]}", {"message": ""})
        await sockets.close_all()

    asyncio.run(talk())
    log = running_server.log.read_text()
    assert '"event":"socket_opened"' in log
    assert '"event":"request"' in log
    assert secret_text not in log
    for token in tokens:
        assert token not in log
        assert token.rpartition(".")[2] not in log


def test_a_request_is_one_json_line_with_nginxs_request_id(running_server, alice):
    identity = os.urandom(16).hex()
    headers = {"Authorization": f"Bearer {alice.token()}", "X-Request-ID": identity}
    answer = httpx.get(f"{running_server.url}/chat/v1/tickets/?state=open", headers=headers)
    assert answer.headers["X-Request-ID"] == identity
    lines = wait_for(lambda: [line for line in running_server.log.read_text().splitlines() if identity in line])
    assert len(lines) == 1
    line = json.loads(lines[0])
    assert line.pop("duration_ms") > 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "service": "chat-gateway",
        "event": "request",
        "request_id": identity,
        "method": "GET",
        "path": "/chat/v1/tickets/",
        "status": 200,
        "user": str(alice.id),
    }


@pytest.fixture
def own_postgres(tmp_path_factory):
    """A PostgreSQL that the test may restart, with everything in it; and its address for a role."""
    home = tmp_path_factory.mktemp("cluster")
    postgres = Postgres(home / "postgres", durable=True)
    postgres.start()
    try:
        make_database(postgres.url(), str(postgres.bin / "psql"), "restarted", dict.fromkeys(ROLES, PASSWORD))
        address = partial(database_url, postgres.url(), "restarted", password=PASSWORD)
        publish(address(role="core_owner"))
        migrated = manage(
            "migrate", "-v0", DATABASE_URL=address(role="chat"), MIGRATION_DATABASE_URL=address(role="chat_owner")
        )
        assert migrated.returncode == 0, migrated.stderr
        yield postgres, address
    finally:
        postgres.stop()


@pytest.mark.long
async def test_a_postgresql_that_restarts_in_the_middle_of_a_talk_loses_nothing(own_postgres):
    postgres, address = own_postgres
    world = World(address(role="core_owner"))
    category, slug = world.category()
    alice, bob = world.user("alice"), world.agent("bob", category)
    server = ChatServer(DATABASE_URL=address(role="chat")).start()
    try:
        body = {"category": slug, "subject": "Help", "message": "It is dark."}
        ticket = (await ask(server, alice, "POST", "/tickets/", body)).json()["id"]
        a, b = await talking(server, ticket, alice, 1), await talking(server, ticket, bob, 1)
        for number in range(8):
            if number % 4 == 2:
                await asyncio.to_thread(postgres.stop)
                await a.send(type="message", client_id=f"n{number}", message="Anybody?")
                assert (await a.next("error"))["code"] == "unavailable"
                await asyncio.to_thread(postgres.start)
            await asyncio.to_thread(wait_for, lambda: httpx.get(f"{server.url}/readyz").status_code == 200)
            await a.send(type="message", client_id=f"n{number}", message="Still here")
            assert (await a.next("ack"))["seq"] == number + 2
        assert [m["client_id"] for m in await b.messages(8)] == [f"n{number}" for number in range(8)]
        assert await b.silent()
    finally:
        world.connection.close()
        await sockets.close_all()
        server.stop()
