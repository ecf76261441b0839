"""What several processes know of each other's sockets, and that the sockets of one that was killed are forgotten."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Iterator

import pytest
import redis

from realtime.elsewhere import Elsewhere, SocketNews
from realtime.hints import CHANNEL, Hints
from tests.server import ChatServer, needs_redis
from tests.sockets import Client, opened, talking
from tickets.events import TicketEvent

SHORT = "from realtime import elsewhere, runtime; elsewhere.LEASE = 2.5; runtime.SWEEP_EVERY = 0.1"


@pytest.fixture(scope="module")
def near(world) -> Iterator[ChatServer]:
    running = ChatServer(SHORT).start()
    yield running
    running.stop()


@pytest.fixture
def far(world) -> Iterator[ChatServer]:
    """Another process, that the test may kill."""
    running = ChatServer(SHORT).start()
    yield running
    running.stop(9)


async def answers(client: Client) -> bool:
    await client.send(type="ping")
    return bool(await client.next("pong"))


@needs_redis
async def test_the_people_of_a_killed_process_go_and_those_of_a_living_one_stay(server, near, far, ticket, alice, bob):
    a, b = await talking(near, ticket["id"], alice), await talking(far, ticket["id"], bob)
    shown = await a.next("presence")
    assert (shown["username"], shown["online"]) == (bob.username, True)
    assert await a.silent("presence", seconds=3)  # longer than a lease: it is renewed
    also_a = await talking(near, ticket["id"], alice)
    assert (await also_a.next("presence"))["online"]  # she comes later, and is told of him as well
    assert await answers(b)
    far.stop(9)
    for client in (a, also_a):
        gone = await client.next("presence")
        assert (gone["username"], gone["online"]) == (bob.username, False)


@needs_redis
async def test_five_sockets_of_a_person_are_counted_in_all_processes(server, near, far, ticket, alice, bob):
    def of_alice(server: ChatServer):
        return talking(server, ticket["id"], alice)

    first = await opened(near.chat(ticket["id"], f"?token={alice.token()}"))
    mine = [await of_alice(near) for _ in range(2)]
    theirs = [await of_alice(far) for _ in range(2)]
    b = await talking(far, ticket["id"], bob)
    assert all([await answers(client) for client in [*mine, *theirs]])
    theirs.append(await of_alice(far))
    assert (await first.next())["code"] == "too_many_sockets"
    assert await first.closed() == 4429
    await theirs.pop().connection.close()
    mine.append(await of_alice(near))
    assert all([await answers(client) for client in [*mine, *theirs, b]])  # one that is closed does not count
    far.stop(9)
    while (frame := await mine[0].next("presence"))["username"] != bob.username or frame["online"]:
        pass  # then alice's sockets there have ended, too
    mine += [await of_alice(near) for _ in range(2)]
    assert all([await answers(client) for client in mine])
    await of_alice(near)
    assert await mine[0].closed() == 4429


TICKET, ALICE, SOCKET = (str(uuid.uuid4()) for _ in range(3))
UNDERSTOOD = [
    "x",
    [[TICKET, 7, True, 0]],
    [["typing", TICKET, ALICE, "alice", True]],
    [[SOCKET, ALICE, "alice", TICKET, 1, True]],
]


def changed(part: int, place: int, value: object) -> list[object]:
    """UNDERSTOOD, with another value at one place of one of its rows."""
    message = json.loads(json.dumps(UNDERSTOOD))
    message[part][0][place] = value
    return message


@pytest.mark.parametrize(
    "strange",
    [
        "nonsense",
        [],
        UNDERSTOOD[:3],
        ["x", [7], [], []],
        ["x", [[]], [], []],
        ["x", [], [[]], []],
        changed(1, 0, "no id"),
        changed(1, 0, 5),
        changed(1, 1, "7"),
        changed(2, 4, None),
        changed(3, 4, "late"),
        changed(3, 5, 1),
    ],
)
async def test_what_another_version_or_nobody_says_on_redis_is_not_listened_to(strange):
    heard: list[object] = []
    listener = Hints("redis://127.0.0.1", heard.append, lambda: asyncio.sleep(0))
    listener._heard(json.dumps(strange).encode())
    assert heard == []
    listener._heard(json.dumps(changed(2, 0, "shout")).encode())  # another version's signal: the rest is understood
    assert [type(each) for each in heard] == [TicketEvent, SocketNews]
    listener._heard(json.dumps(UNDERSTOOD).encode())
    assert len(heard) == 5


@needs_redis
async def test_garbage_on_redis_delays_nobody(server, near, ticket, alice, bob):
    a, b = await talking(server, ticket["id"], alice), await talking(near, ticket["id"], bob, None)
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.publish(CHANNEL, b"garbage")
    await a.send(type="typing")  # a signal, which is told once or never
    assert (await b.next("typing"))["username"] == alice.username


def test_a_socket_elsewhere_is_there_until_it_closes_or_is_told_of_no_more():
    now = 0.0
    elsewhere = Elsewhere(lambda: now)
    ticket, alice = uuid.uuid4(), uuid.uuid4()
    shown, desk = (SocketNews(uuid.uuid4(), alice, "alice", about, 1) for about in (ticket, None))
    elsewhere.put(shown)
    elsewhere.put(desk)
    assert elsewhere.present(ticket) == {alice: "alice"}
    assert (elsewhere.of(alice, desk=False), elsewhere.of(alice, desk=True)) == ([shown], [desk])
    now = 40.0
    elsewhere.put(shown)
    now = 61.0
    assert elsewhere.ended() == [desk]
    for gone in (desk, shown, shown):  # what is not known is no matter
        elsewhere.remove(gone)
    now = 1000.0
    assert (elsewhere.ended(), elsewhere.present(ticket), elsewhere.of(alice, desk=True)) == ([], {}, [])
