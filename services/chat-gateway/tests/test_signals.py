"""Who types, who is there, who has read how far: told at once, from process to process, and never to the wrong ones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.server import ChatServer, needs_redis
from tests.sockets import Client, ask, opened, talking

pytestmark = needs_redis


@pytest.fixture(scope="module")
def elsewhere(world) -> Iterator[ChatServer]:
    """Another process beside `server`; both hear each other through Redis."""
    running = ChatServer().start()
    yield running
    running.stop()


@pytest.fixture(params=["the same process", "another process"])
async def there(request, server, elsewhere):
    return server if request.param == "the same process" else elsewhere


def who(person) -> dict[str, str]:
    return {"user": str(person.id), "username": person.username}


async def until(client: Client, **wanted) -> None:
    """The frame comes."""
    while (await client.next(wanted["type"])) != wanted:
        pass


async def test_typing_is_shown_to_the_others_alone(server, there, ticket, alice, bob):
    a, also_a = await talking(server, ticket["id"], alice), await talking(there, ticket["id"], alice)
    b = await talking(there, ticket["id"], bob)
    await a.send(type="typing")
    await until(b, type="typing", typing=True, **who(alice))
    await b.send(type="typing")
    assert await a.next("typing") == await also_a.next("typing") == {"type": "typing", "typing": True, **who(bob)}


async def test_who_comes_and_who_goes_is_shown(server, there, ticket, alice, bob):
    a = await talking(server, ticket["id"], alice)
    b = await talking(there, ticket["id"], bob)
    await until(a, type="presence", online=True, **who(bob))
    await until(b, type="presence", online=True, **who(alice))  # she was there before him
    await b.connection.close()
    await until(a, type="presence", online=False, **who(bob))


async def test_a_second_window_closed_leaves_one_there(server, there, ticket, alice, bob):
    a = await talking(server, ticket["id"], alice)
    first, second = await talking(there, ticket["id"], bob), await talking(server, ticket["id"], bob)
    await until(a, type="presence", online=True, **who(bob))
    await second.connection.close()
    await first.send(type="typing")
    last = None
    while (frame := await a.next())["type"] != "typing":
        last = frame if frame["type"] == "presence" else last
    await asyncio.sleep(0.2)
    await a.send(type="ping")
    while (frame := await a.next())["type"] != "pong":
        last = frame if frame["type"] == "presence" else last
    assert last is None or last["online"]


async def test_read_marks_move_forward_for_everybody_and_are_told_to_who_comes_later(server, there, ticket, alice, bob):
    for number in range(2, 5):
        await ask(server, bob, "POST", f"/tickets/{ticket['id']}/messages/", {"message": f"m{number}"})
    a, b = await talking(server, ticket["id"], alice), await talking(there, ticket["id"], bob)
    await a.send(type="read", seq=3)
    await until(b, type="read", seq=3, **who(alice))
    for seq in (2, 3):  # not back, and not again
        await a.send(type="read", seq=seq)
    await ask(there, bob, "POST", f"/tickets/{ticket['id']}/read/", {"seq": 4})
    await until(a, type="read", seq=3, **who(alice))
    assert await a.next("read") == {"type": "read", "seq": 4, **who(bob)}
    await a.send(type="read", seq=99)
    await until(b, type="read", seq=4, **who(alice))
    assert (await ask(server, alice, "GET", f"/tickets/{ticket['id']}/")).json()["read_seq"] == 4
    late = await talking(there, ticket["id"], alice)
    marks = [await late.next("read") for _ in range(2)]
    assert sorted((mark["username"], mark["seq"]) for mark in marks) == [(alice.username, 4), (bob.username, 4)]


async def test_strangers_and_plain_clients_are_told_nothing(server, ticket, alice, bob, mallory):
    plain = await opened(server.chat(ticket["id"], f"?token={alice.token()}"))
    b = await talking(server, ticket["id"], bob)
    await b.send(type="typing")
    await b.send(type="message", client_id="x", message="Hello")
    assert (await plain.next())["message"] == "Hello"  # the first thing that it hears


async def test_notes_reach_the_agents_alone(server, there, world, category, ticket, alice, bob):
    carol = world.agent("carol", category[0])
    a, b = await talking(server, ticket["id"], alice), await talking(server, ticket["id"], bob)
    c = await opened(there.chat(ticket["id"], f"?token={carol.token()}"), "chat.v1")
    await c.send(type="hello", since=0, since_note=0)
    assert await c.next() == {"type": "welcome", "head_seq": 1, "head_note_seq": 0}
    await b.send(type="note", client_id="n", note="She was double charged.")
    assert await b.next("ack") == {"type": "ack", "client_id": "n", "note_seq": 1}
    for client in (b, c):
        heard = await client.next("note")
        assert (heard["note_seq"], heard["note"], heard["sender"]) == (1, "She was double charged.", bob.username)
    await ask(there, carol, "POST", f"/tickets/{ticket['id']}/notes/", {"note": "Finance knows."})
    assert [(await client.next("note"))["note_seq"] for client in (b, c)] == [2, 2]
    await a.send(type="note", note="What do they say?")
    assert (await a.next("error"))["code"] == "permission_denied"
    await a.send(type="sync", since=0, since_note=0)
    await a.send(type="message", client_id="x", message="Hello?")
    kinds = set()
    while (frame := await a.next())["type"] != "ack":
        kinds.add(frame["type"])
    assert "note" not in kinds


async def test_notes_that_were_missed_are_caught_up_in_order_once(server, world, category, ticket, bob):
    b = await talking(server, ticket["id"], bob)
    for number in range(5):
        for _ in range(2):
            await b.send(type="note", client_id=f"n{number}", note=f"n{number}")
            assert (await b.next("ack"))["note_seq"] == number + 1
    late = await opened(server.chat(ticket["id"], f"?token={bob.token()}"), "chat.v1")
    await late.send(type="hello", since_note=2)
    assert (await late.next("welcome"))["head_note_seq"] == 5
    assert [(await late.next("note"))["note_seq"] for _ in range(3)] == [3, 4, 5]
    await late.send(type="sync", since=1, since_note=4)
    assert (await late.next("note"))["note_seq"] == 5
    assert await late.silent("note")


async def test_whoever_asked_sees_no_notes_about_themselves_though_an_agent(server, world, category, bob):
    carol = world.agent("carol", category[0])
    body = {"category": category[1], "subject": "Mine", "message": "Help me."}
    ticket = (await ask(server, bob, "POST", "/tickets/", body)).json()
    b, c = await talking(server, ticket["id"], bob), await talking(server, ticket["id"], carol)
    await c.send(type="note", note="Bob again.")
    assert (await c.next("note"))["note"] == "Bob again."
    await b.send(type="hello", since=0, since_note=0)
    assert await b.next("welcome") == {"type": "welcome", "head_seq": 1}
    assert await b.silent("note")
