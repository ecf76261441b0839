"""The desk: what an agent sees live."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import Mock

import jsonschema
import pytest
from channels.db import database_sync_to_async
from django.db import connection
from django.db.models.functions import Now

from deploy.embedded.redis import Redis, find_program
from realtime import asyncapi, desk_feed
from tests import sockets
from tests.server import BY_EVENTS_ALONE, ChatServer, needs_redis
from tests.sockets import ask, opened
from tickets import actions, people
from tickets.desk import Snapshot, View, changes
from tickets.models import AgentStatus


class Agent:
    """An agent's desk, as a client keeps it."""

    def __init__(self, client):
        self.client = client
        self.welcome = self.queue = self.agents = None
        self.tickets = {}

    async def hear(self):
        frame = await self.client.next()
        payload = asyncapi.desk_messages()[f"desk_server_{frame['type']}"]["payload"]
        jsonschema.validate(frame, payload)
        match frame.pop("type"):
            case "welcome":
                self.welcome, self.tickets = frame, {}
            case "ticket":
                self.tickets[frame["id"]] = frame
            case "gone":
                del self.tickets[frame["id"]]
            case "queue":
                self.queue = frame["categories"]
            case "agents":
                self.agents = {agent["username"]: agent for agent in frame["agents"]}

    async def until(self, condition, seconds=sockets.WITHIN):
        async with asyncio.timeout(seconds):
            while not condition():
                await self.hear()


async def sit_down(server, user):
    """The agent's desk, with everything that it shows at first."""
    client = await opened(f"{server.url.replace('http', 'ws')}/ws/desk/?token={user.token()}", "chat.v1")
    await client.send(type="hello")
    agent = Agent(client)
    await agent.until(lambda: agent.agents is not None)
    return agent


async def open_ticket(server, user, category, **more):
    body = {"category": category[1], "subject": "Help", "message": "It is dark.", **more}
    return (await ask(server, user, "POST", "/tickets/", body)).json()


async def test_a_desk_shows_ones_tickets_the_queue_and_who_is_there(server, world, alice, bob, category):
    await ask(server, bob, "PUT", "/agents/me/", {"status": "online"})
    mine = await open_ticket(server, alice, category)
    carol = world.agent("carol", category[0])
    stranger = world.agent("dave", world.category()[0])
    desk = await sit_down(server, bob)
    assert (desk.welcome["username"], desk.welcome["status"], desk.welcome["capacity"]) == (bob.username, "online", 5)
    seen = (await ask(server, bob, "GET", f"/tickets/{mine['id']}/")).json()
    assert desk.tickets == {mine["id"]: seen}
    assert seen["unread"] == 1
    assert desk.queue == [{"slug": category[1], "name": "Billing", "queued": 0, "oldest_queued_at": None}]
    assert (desk.agents[bob.username]["open_tickets"], desk.agents[carol.username]["status"]) == (1, "offline")
    assert stranger.username not in desk.agents


async def test_a_new_ticket_its_messages_and_its_end_are_seen_at_once(server, world, alice, bob, category):
    carol = world.agent("carol", category[0])
    await ask(server, carol, "PUT", "/agents/me/", {"status": "away"})
    his, hers = await sit_down(server, bob), await sit_down(server, carol)
    ticket = (await open_ticket(server, alice, category))["id"]
    for desk in (his, hers):
        await desk.until(lambda desk=desk: ticket in desk.tickets and desk.queue[0]["queued"] == 1)
        assert desk.tickets[ticket]["state"] == "queued"
    await ask(server, bob, "POST", f"/tickets/{ticket}/claim/")
    await his.until(lambda: his.tickets[ticket]["assignee"] == bob.username and his.queue[0]["queued"] == 0)
    await hers.until(lambda: ticket not in hers.tickets)
    await his.until(lambda: his.agents[bob.username]["open_tickets"] == 1)
    await ask(server, alice, "POST", f"/tickets/{ticket}/messages/", {"message": "Still dark."})
    await his.until(lambda: his.tickets[ticket]["unread"] == 2)
    await ask(server, bob, "POST", f"/tickets/{ticket}/messages/", {"message": "Look at the plug."})
    await his.until(lambda: his.tickets[ticket]["head_seq"] == 3)
    assert his.tickets[ticket]["unread"] == 2  # one's own are not among them
    await ask(server, bob, "POST", f"/tickets/{ticket}/read/", {"seq": 3})
    await his.until(lambda: his.tickets[ticket]["unread"] == 0)
    await ask(server, alice, "POST", f"/tickets/{ticket}/close/")
    await his.until(lambda: ticket not in his.tickets)


async def test_whoever_goes_online_at_the_desk_is_given_what_waits_and_everybody_sees_it(
    server, world, alice, bob, ticket, category
):
    carol = world.agent("carol", category[0])
    his, hers = await sit_down(server, bob), await sit_down(server, carol)
    assert ticket["id"] in his.tickets
    await his.client.send(type="status", status="online")
    await his.until(lambda: his.tickets[ticket["id"]]["assignee"] == bob.username)
    await hers.until(lambda: hers.agents[bob.username]["status"] == "online")
    await his.client.send(type="status", status="away")
    await hers.until(lambda: hers.agents[bob.username]["status"] == "away")
    await his.client.send(type="status", status="asleep")
    assert "online, away, offline" in (await his.client.next("error"))["detail"]


async def test_hello_brings_everything_anew(server, bob, ticket):
    desk = await sit_down(server, bob)
    desk.tickets, desk.agents, desk.welcome = {}, None, None
    await desk.client.send(type="hello")
    await desk.until(lambda: desk.agents is not None)
    assert (set(desk.tickets), desk.welcome["username"]) == ({ticket["id"]}, bob.username)


async def test_an_open_desk_keeps_its_agent_present_and_brings_back_who_was_gone(server, alice, bob, category):
    await ask(server, bob, "PUT", "/agents/me/", {"status": "online"})
    status = AgentStatus.objects.filter(user_id=bob.id)
    await database_sync_to_async(status.update)(lease_until=Now() - timedelta(seconds=30))  # a closed lid
    waiting = await open_ticket(server, alice, category)
    assert waiting["state"] == "queued"
    desk = await sit_down(server, bob)
    await desk.until(lambda: desk.tickets.get(waiting["id"], waiting)["state"] == "open")
    assert await status.filter(lease_until__gt=Now() + timedelta(seconds=50)).aexists()


@pytest.mark.parametrize(
    ("change", "code"), [("deactivate", 4401), ("log_out_everywhere", 4401), ("take_permissions", 4403)]
)
async def test_who_may_answer_no_more_is_closed_at_once(server, world, bob, change, code):
    desk = await sit_down(server, bob)
    getattr(world, change)(bob)
    assert await desk.client.closed() == code


async def test_an_agent_who_gets_or_loses_a_category_sees_it_at_once(server, world, alice, bob, ticket):
    desk = await sit_down(server, bob)
    world.take_categories(bob)
    await desk.until(lambda: desk.queue == [] and not desk.tickets)
    other = world.category()
    world.give_category(bob, other[0])
    await desk.until(lambda: [queue["slug"] for queue in desk.queue] == [other[1]])


async def test_more_capacity_is_used_at_once(server, world, alice, category):
    carol = world.agent("carol", category[0], capacity=1)
    desk = await sit_down(server, carol)
    await desk.client.send(type="status", status="online")
    await desk.until(lambda: desk.agents[carol.username]["status"] == "online")
    tickets = [(await open_ticket(server, alice, category))["id"] for _ in range(2)]
    await desk.until(lambda: [desk.tickets.get(id, {}).get("state") for id in tickets] == ["open", "queued"])
    world.change_capacity(carol, 2)
    await desk.until(lambda: [desk.tickets[id]["state"] for id in tickets] == ["open", "open"])


async def test_tickets_of_a_revoked_agent_go_to_another_one_at_once(server, world, alice, bob, category):
    await ask(server, bob, "PUT", "/agents/me/", {"status": "online"})
    ticket = await open_ticket(server, alice, category)
    carol = world.agent("carol", category[0])
    hers = await sit_down(server, carol)
    await hers.client.send(type="status", status="online")
    world.deactivate(bob)
    world.take_categories(bob)  # as core's view has it: it lists active agents alone
    await hers.until(lambda: hers.tickets.get(ticket["id"], ticket)["assignee"] == carol.username)


async def test_the_desk_speaks_chat_v1_alone_and_takes_its_own_connect_tickets(server, alice, bob, ticket):
    address = f"{server.url.replace('http', 'ws')}/ws/desk/"
    assert await (await opened(f"{address}?token={bob.token()}")).closed() == 4400
    assert await (await opened(f"{address}?token={alice.token()}", "chat.v1")).closed() == 4403
    assert (await ask(server, alice, "POST", "/connect-tickets/", {"ticket": None})).status_code == 403
    issued = (await ask(server, bob, "POST", "/connect-tickets/", {"ticket": None})).json()["connect_ticket"]
    elsewhere = (await ask(server, bob, "POST", "/connect-tickets/", {"ticket": ticket["id"]})).json()["connect_ticket"]
    client = await opened(address, "chat.v1", f"ticket.{issued}")
    await client.send(type="hello")
    assert (await client.next())["type"] == "welcome"
    assert await (await opened(address, "chat.v1", f"ticket.{elsewhere}")).closed() == 4401
    assert await (await opened(address, "chat.v1", f"ticket.{issued}")).closed() == 4401
    again = (await ask(server, bob, "POST", "/connect-tickets/", {"ticket": None})).json()["connect_ticket"]
    assert await (await opened(server.chat(ticket["id"]), "chat.v1", f"ticket.{again}")).closed() == 4401


@needs_redis
async def test_an_agent_at_one_process_sees_what_happens_at_another(world, alice, bob, category):
    redis = Redis(find_program() or "")
    redis.start()
    here, there = servers = [ChatServer(BY_EVENTS_ALONE, REDIS_URL=redis.url) for _ in range(2)]
    try:
        await asyncio.gather(*(asyncio.to_thread(server.start) for server in servers))
        desk = await sit_down(here, bob)
        ticket = (await open_ticket(there, alice, category))["id"]
        await desk.until(lambda: ticket in desk.tickets)
        carol = world.agent("carol", category[0])
        await ask(there, carol, "PUT", "/agents/me/", {"status": "online"})
        await desk.until(lambda: desk.agents.get(carol.username, {}).get("status") == "online")
        await desk.until(lambda: ticket not in desk.tickets)
    finally:
        await sockets.close_all()
        for server in servers:
            server.stop()
        redis.stop()


async def test_what_no_event_tells_of_is_seen_by_the_sweep(own_server, alice, bob, category):
    desk = await sit_down(own_server, bob)

    def ask_from_elsewhere():
        try:
            person = people.find(people.Claims(alice.id, alice.username, 0, alice.session, 0))
            return str(actions.create_ticket(person, actions.NewTicket(category[1], "Help", "Please")).id)
        finally:
            connection.close()

    ticket = await asyncio.to_thread(ask_from_elsewhere)
    await desk.until(lambda: ticket in desk.tickets)


async def test_reading_much_is_done_rarely_and_one_slow_read_delays_nobody(monkeypatch):
    durations, now, pauses = [0.01, 3.0, 0.01, 0.5, 0.5, 0.5], [0.0], []

    async def read(_people, _before):
        if not durations:
            raise asyncio.CancelledError
        now[0] += durations.pop(0)
        return Snapshot(frozenset(), {}, {}, {}, {}, {}, {})

    async def sleep(seconds):
        pauses.append(seconds)
        feed.wake()

    feed = desk_feed.DeskFeed()
    feed.enter(Mock())
    feed.wake()
    monkeypatch.setattr(desk_feed, "read", read)
    monkeypatch.setattr(desk_feed, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(desk_feed, "asyncio", SimpleNamespace(sleep=sleep))
    with pytest.raises(asyncio.CancelledError):
        await feed.run()
    assert pauses == pytest.approx([0.2, 0.2, 0.2, 0.2, 0.2, 5.0])


def test_only_what_changed_is_told():
    me, queue = {"id": "me"}, [{"slug": "billing", "queued": 1}]
    agents = [{"id": "me", "status": "online", "lease_until": "12:00"}]
    before = View(me, {"1": ({"id": "1"}, 0, 0), "2": ({"id": "2"}, 0, 0)}, queue, agents)
    renewed = [{"id": "me", "status": "online", "lease_until": "12:05"}]
    now = View(me, {"1": ({"id": "1"}, 1, 3)}, queue, renewed)
    assert list(changes(before, before)) == []
    assert list(changes(before, now)) == [
        ("ticket", {"id": "1", "read_seq": 1, "unread": 3}),
        ("gone", {"id": "2"}),
    ]
    assert [kind for kind, _ in changes(None, now)] == ["welcome", "ticket", "queue", "agents"]
    assert json.dumps(list(changes(now, before)))
