"""Conversations over the real server, as clients have them."""

from __future__ import annotations

import asyncio
import json
import re
import time

import httpx
import pytest
from channels.db import database_sync_to_async
from websockets.exceptions import InvalidStatus

from tests.crowd import joined, masked
from tests.sockets import ask, opened, talking
from tests.test_documents import fits


async def test_plain_frames_are_as_documented_byte_for_byte(server, ticket, alice):
    client = await opened(server.chat(ticket["id"], f"?token={alice.token()}"))
    assert client.connection.subprotocol is None
    await client.send(message='Hello, "I" need help. ☂')
    frame = await client.raw()
    kept = (await ask(server, alice, "GET", f"/tickets/{ticket['id']}/messages/?after=1")).json()["results"][0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", kept["timestamp"])
    assert frame == (
        '{"message": "Hello, \\"I\\" need help. ☂", '
        f'"sender": "{alice.username}", "timestamp": "{kept["timestamp"]}", "id": "{kept["id"]}", "seq": 2}}'
    )


async def test_plain_v1_is_echoed_and_since_replays(server, ticket, alice, bob):
    for number in range(2, 5):
        await ask(server, bob, "POST", f"/tickets/{ticket['id']}/messages/", {"message": f"m{number}"})
    client = await opened(server.chat(ticket["id"], f"?token={alice.token()}&since=1"), "plain.v1")
    assert client.connection.subprotocol == "plain.v1"
    assert [m["message"] for m in await client.messages(3)] == ["m2", "m3", "m4"]
    fresh = await opened(server.chat(ticket["id"], f"?token={alice.token()}"))
    await ask(server, bob, "POST", f"/tickets/{ticket['id']}/messages/", {"message": "m5"})
    assert [m["seq"] for m in await fresh.messages(1)] == [5]  # without since: what comes from now on
    ahead = await opened(server.chat(ticket["id"], f"?token={alice.token()}&since=99"))
    await ask(server, bob, "POST", f"/tickets/{ticket['id']}/messages/", {"message": "m6"})
    assert [m["seq"] for m in await ahead.messages(1)] == [6]  # ahead of everything: nothing is missed


async def test_alice_and_two_agents_talk(server, world, ticket, category, alice, bob):
    carol = world.agent("carol", category[0])
    people = [await talking(server, ticket["id"], user) for user in (alice, bob, carol)]
    for number, client in enumerate(people):
        await client.send(type="message", client_id=f"c{number}", message=f"from {number}")
        assert await client.next("ack") == {"type": "ack", "client_id": f"c{number}", "seq": 2 + number}
    late = await talking(server, ticket["id"], bob)
    heard = await late.messages(4)
    assert [m["seq"] for m in heard] == [1, 2, 3, 4]
    assert [m["sender"] for m in heard[1:]] == [alice.username, bob.username, carol.username]
    assert [m["client_id"] for m in heard] == [None, "c0", "c1", "c2"]


async def test_each_of_them_hears_everything_once_in_order(server, ticket, alice, bob):
    a, b = await talking(server, ticket["id"], alice), await talking(server, ticket["id"], bob)

    async def say(client, name):
        for number in range(15):
            await client.send(type="message", client_id=f"{name}{number}", message=f"{name}{number}")

    await asyncio.gather(say(a, "a"), say(b, "b"))
    heard = [[m["seq"] for m in await client.messages(31)] for client in (a, b)]
    assert heard == [list(range(1, 32))] * 2
    assert await a.silent()


async def test_the_same_client_id_again_is_acknowledged_alike_and_delivered_once(server, ticket, alice):
    first, second = await talking(server, ticket["id"], alice), await talking(server, ticket["id"], alice)
    for client in (first, second, first):
        await client.send(type="message", client_id="same", message="Only once")
        assert (await client.next("ack"))["seq"] == 2
    watcher = await talking(server, ticket["id"], alice)
    assert [m["seq"] for m in await watcher.messages(2)] == [1, 2]
    assert await watcher.silent()


async def test_what_is_said_while_one_joins_arrives_once(server, ticket, alice, bob):
    writer = await talking(server, ticket["id"], bob)

    async def say():
        for number in range(18):
            await writer.send(type="message", client_id=f"n{number}", message=f"n{number}")
            await writer.next("ack")

    saying = asyncio.create_task(say())
    joined = [await talking(server, ticket["id"], alice) for _ in range(5)]
    await saying
    for client in joined:
        assert [m["seq"] for m in await client.messages(19)] == list(range(1, 20))
        assert await client.silent(seconds=0.05)


async def test_sync_sends_again_from_there(server, ticket, alice, bob):
    for number in range(2, 5):
        await ask(server, bob, "POST", f"/tickets/{ticket['id']}/messages/", {"message": f"m{number}"})
    client = await talking(server, ticket["id"], alice)
    assert [m["seq"] for m in await client.messages(4)] == [1, 2, 3, 4]
    await client.send(type="sync", since=2)
    assert [m["seq"] for m in await client.messages(2)] == [3, 4]
    fresh = await talking(server, ticket["id"], alice, since=None)
    assert await fresh.silent()


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        ("{", "JSON object"),
        ("[]", "JSON object"),
        ("{}", '"type" is one of'),
        ('{"type": "shout"}', '"type" is one of'),
        ('{"type": ["hello"]}', '"type" is one of'),
        ('{"type": "message"}', "needs client_id, message"),
        ('{"type": "message", "client_id": "a", "message": 1}', "message is a text"),
        ('{"type": "message", "client_id": "a", "message": "m", "x": 1}', "no field x"),
        ('{"type": "sync", "since": -1}', "0 or more"),
        ('{"type": "sync", "since": null}', "0 or more"),
        ('{"type": "sync", "since": true}', "0 or more"),
        ('{"type": "message", "client_id": "a", "message": "\\ud83d"}', "JSON object"),
        (b"bytes", "Frames are text"),
    ],
)
async def test_a_malformed_frame_gets_an_error_and_the_socket_stays(server, ticket, alice, frame, says):
    client = await talking(server, ticket["id"], alice)
    await client.connection.send(frame)
    error = await client.next("error")
    assert (error["code"], says in error["detail"]) == ("malformed", True), error
    await client.send(type="ping")
    assert await client.next("pong") == {"type": "pong"}


async def test_a_malformed_plain_frame_gets_an_error_and_the_socket_stays(server, ticket, alice):
    client = await opened(server.chat(ticket["id"], f"?token={alice.token()}"))
    for frame in ["Hello", '"Hello"', '{"text": "Hello"}', '{"message": null}']:
        await client.connection.send(frame)
        assert (await client.next())["code"] == "malformed"
    await client.send(message="Hello", type="chat_message")
    assert (await client.next())["message"] == "Hello"


async def test_a_bad_text_is_refused_with_its_client_id(server, ticket, alice):
    client = await talking(server, ticket["id"], alice)
    for text, says in [(" ", "blank"), ("x" * 4001, "4000"), ("\x07", "Control")]:
        await client.send(type="message", client_id="t", message=text)
        error = await client.next("error")
        assert (error["code"], error["client_id"], says in error["detail"]) == ("invalid", "t", True)
    await client.send(type="message", client_id="", message="Hello")
    assert (await client.next("error"))["code"] == "invalid"
    await client.send(type="message", client_id="t", message="lines\r\nand\ttabs")
    assert (await client.next("ack"))["seq"] == 2


async def test_a_closed_ticket_refuses_on_the_socket_too(server, ticket, alice):
    client = await talking(server, ticket["id"], alice)
    await ask(server, alice, "POST", f"/tickets/{ticket['id']}/close/")
    assert await client.next("assigned") == {"type": "assigned", "state": "closed", "assignee": None}
    await client.send(type="message", client_id="z", message="Still there?")
    error = await client.next("error")
    assert (error["code"], error["client_id"]) == ("ticket_closed", "z")


async def test_strangers_and_bad_credentials_are_closed_with_a_code(server, ticket, alice, mallory):
    unknown = "0198c0de-0000-7000-8000-000000000000"
    for address, code in [
        (server.chat(ticket["id"], f"?token={mallory.token()}"), 4403),
        (server.chat(unknown, f"?token={alice.token()}"), 4403),
        (server.chat("no-uuid", f"?token={alice.token()}"), 4403),
        (server.chat(ticket["id"]), 4401),
        (server.chat(ticket["id"], "?token="), 4401),
        (server.chat(ticket["id"], "?token=nonsense"), 4401),
        (server.chat(ticket["id"], f"?token={alice.token(exp=int(time.time()) - 1)}"), 4401),
        (server.chat(ticket["id"], f"?token={alice.token(typ='refresh')}"), 4401),
        (server.chat(ticket["id"], f"?token={alice.token()}&since=x"), 4400),
    ]:
        assert await (await opened(address)).closed() == code, address
    nothing_known = await opened(server.chat(ticket["id"], f"?token={alice.token()}"), "soap")
    assert await nothing_known.closed() == 4400


async def test_other_addresses_are_no_sockets(server, alice):
    with pytest.raises(InvalidStatus):
        await opened(f"ws://{server.address}/ws/elsewhere/")


async def test_a_browser_of_another_site_is_refused(server, ticket, alice):
    address = server.chat(ticket["id"], f"?token={alice.token()}")
    for origin in ["https://evil.example", "null", "http://learn.example.evil", "https://learn.example"]:
        assert await (await opened(address, origin=origin)).closed() == 4403
    for origin in ["http://learn.example", "https://app.example"]:
        client = await opened(address, origin=origin)
        await client.send(message="Hello")
        assert (await client.next())["message"] == "Hello"


async def test_the_first_frame_may_bring_the_token(server, ticket, alice, mallory):
    client = await opened(server.chat(ticket["id"]), "chat.v1")
    await client.send(type="auth", token=alice.token())
    await client.send(type="hello", since=0)
    assert await client.next() == {"type": "welcome", "head_seq": 1}
    for first, code in [
        ({"type": "auth", "token": "nonsense"}, 4401),
        ({"type": "auth", "token": mallory.token()}, 4403),
        ({"type": "hello"}, 4401),
    ]:
        client = await opened(server.chat(ticket["id"]), "chat.v1")
        await client.send(**first)
        assert await client.closed() == code


async def test_a_connect_ticket_opens_one_socket_once(server, world, ticket, alice):
    issued = (await ask(server, alice, "POST", "/connect-tickets/", {"ticket": ticket["id"]})).json()
    secret = f"ticket.{issued['connect_ticket']}"
    client = await opened(server.chat(ticket["id"]), "chat.v1", secret)
    assert client.connection.subprotocol == "chat.v1"
    await client.send(type="hello")
    assert (await client.next())["type"] == "welcome"
    assert await (await opened(server.chat(ticket["id"]), "chat.v1", secret)).closed() == 4401
    other = (await ask(server, alice, "POST", "/connect-tickets/", {"ticket": ticket["id"]})).json()["connect_ticket"]
    elsewhere = server.chat("0198c0de-0000-7000-8000-000000000000")
    assert await (await opened(elsewhere, "plain.v1", f"ticket.{other}")).closed() == 4401
    late = (await ask(server, alice, "POST", "/connect-tickets/", {"ticket": ticket["id"]})).json()["connect_ticket"]
    from tickets.actions import hashed
    from tickets.models import ConnectTicket

    stale = ConnectTicket.objects.filter(secret_hash=hashed(late))
    await database_sync_to_async(stale.update)(expires_at="2020-01-01T00:00:00Z")
    assert await (await opened(server.chat(ticket["id"]), "plain.v1", f"ticket.{late}")).closed() == 4401


@pytest.mark.parametrize(
    ("change", "code"),
    [("deactivate", 4401), ("end_session", 4401), ("log_out_everywhere", 4401), ("take_categories", 4403)],
)
async def test_who_loses_access_is_closed_at_once(server, world, ticket, alice, bob, change, code):
    agent = await talking(server, ticket["id"], bob)
    learner = await talking(server, ticket["id"], alice)
    getattr(world, change)(bob)
    assert await agent.closed() == code
    await learner.send(type="ping")
    assert (await learner.next("pong"))["type"] == "pong"


async def test_a_transfer_narrows_the_agents_of_the_old_category(server, world, ticket, alice, bob):
    other = world.category()
    agent, learner = await talking(server, ticket["id"], bob), await talking(server, ticket["id"], alice)
    answer = await ask(server, bob, "POST", f"/tickets/{ticket['id']}/transfer/", {"category": other[1]})
    assert (answer.status_code, answer.json()["category"]) == (200, other[1])
    assert await agent.closed() == 4403
    await learner.send(type="message", client_id="q", message="Anybody?")
    assert (await learner.next("ack"))["seq"] == 2


async def test_a_token_that_ends_is_announced_and_can_be_replaced(server, ticket, alice, mallory):
    soon = alice.token(exp=int(time.time()) + 30)
    client = await opened(server.chat(ticket["id"], f"?token={soon}"), "chat.v1")
    assert (await client.next("token_expiring"))["expires_at"].endswith("Z")
    for wrong in ["nonsense", mallory.token()]:
        await client.send(type="refresh", token=wrong)
        assert (await client.next("error"))["code"] == "token_invalid"
    await client.send(type="refresh", token=alice.token())
    await client.send(type="ping")
    assert (await client.next())["type"] == "pong"


async def test_frames_beyond_16_KiB_are_closed_with_1009(server, ticket, alice):
    client = await talking(server, ticket["id"], alice)
    await client.send(type="message", client_id="big", message="x" * 17000)
    assert await client.closed() == 1009


async def test_the_longest_message_fits_a_frame(server, ticket, alice):
    client = await talking(server, ticket["id"], alice)
    await client.connection.send(
        json.dumps({"type": "message", "client_id": "big", "message": "🦊" * 4000}, ensure_ascii=False)
    )
    assert (await client.next("ack"))["seq"] == 2


async def test_a_flood_is_slowed_down_then_closed(server, ticket, alice):
    client = await talking(server, ticket["id"], alice)
    for _ in range(25):
        await client.send(type="ping")
    error = await client.next("error")
    assert error["code"] == "too_fast"
    assert 0 < error["retry_after"] <= 0.2
    await asyncio.sleep(1)  # what retry_after asks for, and more
    await client.send(type="ping")
    assert (await client.next("pong"))["type"] == "pong"
    for _ in range(60):
        await client.send(type="ping")
    assert await client.closed() == 4429


async def test_rest_and_socket_hear_each_other(server, ticket, alice, bob):
    client = await talking(server, ticket["id"], alice)
    await client.messages(1)
    answer = await ask(server, bob, "POST", f"/tickets/{ticket['id']}/messages/", {"message": "By REST"})
    assert answer.status_code == 201
    assert (await client.messages(1))[0]["message"] == "By REST"


async def test_of_more_than_five_sockets_of_a_person_the_oldest_is_closed(server, ticket, alice, bob):
    first = await opened(server.chat(ticket["id"], f"?token={alice.token()}"))
    others = [await talking(server, ticket["id"], alice) for _ in range(4)]
    agent = await talking(server, ticket["id"], bob)
    sixth = await talking(server, ticket["id"], alice)
    assert (await first.next())["code"] == "too_many_sockets"
    assert await first.closed() == 4429
    for client in [*others, sixth, agent]:
        await client.send(type="ping")
        assert (await client.next("pong"))["type"] == "pong"
    await sixth.connection.close()
    await talking(server, ticket["id"], alice)
    await others[0].send(type="ping")
    assert (await others[0].next("pong"))["type"] == "pong"  # one that is closed does not count


async def test_a_message_brings_a_file_along_once_it_is_ready(server, ticket, alice, bob):
    async with httpx.AsyncClient() as client:
        address, headers = (
            f"{server.url}/chat/v1/tickets/{ticket['id']}/attachments/",
            {"Authorization": f"Bearer {alice.token()}"},
        )
        sent = (await client.post(address, headers=headers, files={"file": ("log.txt", b"It is dark.")})).json()
    a, b = await talking(server, ticket["id"], alice), await talking(server, ticket["id"], bob, 1)
    for nothing in ("nonsense", ticket["id"]):
        await a.send(type="message", client_id="n", message="See", attachment=nothing)
        error = await a.next("error")
        assert (error["code"], error["client_id"]) == ("attachment_not_ready", "n")
    for _ in range(2):  # the second time is a repetition, and finds the first
        await a.send(type="message", client_id="m", message="See", attachment=sent["id"])
        assert (await a.next("ack"))["seq"] == 2
    heard = await b.next("message")
    assert heard["attachment"] == sent
    assert fits("server_message", heard)
    await a.send(type="message", client_id="again", message="See", attachment=sent["id"])
    assert (await a.next("error"))["code"] == "attachment_not_ready"


async def test_a_text_that_is_no_utf_8_closes_with_1007_and_is_not_logged(server, ticket, alice):
    member = await joined(server.address, ticket["id"], alice.token())
    member.writer.write(masked(1, b'{"type": "message", "client_id": "u", "message": "the drains \xff"}'))
    assert await member.closed() == 1007
    assert "the drains" not in server.log.read_text()
    assert (await ask(server, alice, "GET", f"/tickets/{ticket['id']}/")).json()["head_seq"] == 1
