"""Messages that are committed together: each is there once, in order, and one that cannot be does not hold up the others."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import defaultdict
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace

import psycopg
import pytest

from realtime import delivery
from realtime.delivery import Writer
from realtime.gathering import Gathering
from realtime.store import CROWDS_APART, MESSAGES_APART, OUTAGE, PLENTY, Refused, Store
from realtime.verifier import Claims
from tests.conftest import DATABASE, POSTGRES, url
from tickets.people import Person


class Pauses(list):
    """Those that were made between two answers, in seconds. Time stands still unless `now` is moved."""

    now = 0.0


@pytest.fixture
def paused(monkeypatch):
    paused, sleep = Pauses(), asyncio.sleep

    async def noting(seconds):
        paused.append(seconds)
        await sleep(0)

    monkeypatch.setattr("realtime.gathering.asyncio.sleep", noting)
    monkeypatch.setattr("realtime.gathering.monotonic", lambda: paused.now)
    return paused


async def test_who_is_alone_is_answered_at_once_and_who_comes_meanwhile_shares_the_next():
    rounds, going = [], asyncio.Event()

    async def answer(asked):
        rounds.append(list(asked))
        await going.wait()
        return [question * 2 for question in asked]

    gathering = Gathering(answer, most=2)
    first = asyncio.create_task(gathering.ask(1))
    await asyncio.sleep(0.01)
    others = [asyncio.create_task(gathering.ask(number)) for number in (2, 3, 4)]
    await asyncio.sleep(0.01)
    assert rounds == [[1]]
    others[0].cancel()
    going.set()
    assert await first == 2
    assert await asyncio.gather(*others[1:]) == [6, 8]
    assert rounds == [[1], [2, 3], [4]]


async def test_where_a_crowd_asks_the_next_gather_for_a_moment():
    rounds = []

    async def answer(asked):
        rounds.append(list(asked))
        return asked

    gathering = Gathering(answer, most=9, apart=0.3, plenty=3)
    await gathering.ask(1)
    await gathering.ask(2)  # whoever is alone waits for nobody
    await asyncio.gather(gathering.ask(3), gathering.ask(4))
    fifth = asyncio.create_task(gathering.ask(5))
    for _ in range(5):
        await asyncio.sleep(0)  # in which it would be answered alone
    await asyncio.gather(fifth, gathering.ask(6))
    assert rounds == [[1], [2], [3, 4], [5, 6]]


async def test_nobody_waits_for_company_where_enough_come_meanwhile_or_the_answer_took_its_time(paused):
    async def answer(asked):
        return asked

    async def ask(number, gathering):
        await asyncio.gather(*(gathering.ask(question) for question in range(number)))

    await ask(3, Gathering(answer, most=9, apart=0.3, plenty=3))
    assert paused == []
    await ask(2, Gathering(answer, most=9, apart=0.3, plenty=3))
    assert paused == [0.3]

    async def takes_its_time(asked):
        paused.now += 0.2
        return asked

    await ask(2, Gathering(takes_its_time, most=9, apart=0.3))
    assert paused[1:] == [pytest.approx(0.1)]
    await ask(2, Gathering(takes_its_time, most=9, apart=0.2))
    assert len(paused) == 2


async def test_a_failure_is_everybodys_and_the_next_ones_go_on():
    async def answer(asked):
        if "bad" in asked:
            raise psycopg.OperationalError("away")
        return asked

    gathering = Gathering(answer, most=9)
    answers = await asyncio.gather(*(gathering.ask(word) for word in ("good", "bad")), return_exceptions=True)
    assert [type(answer) for answer in answers] == [psycopg.OperationalError] * 2
    assert await gathering.ask("good") == "good"


@pytest.fixture
async def stores():
    """Two, as two processes have them."""
    stores = [Store(url("chat")) for _ in range(2)]
    for store in stores:
        await store.open()
    yield stores
    for store in stores:
        await store.close()


def person(user, *categories):
    return Person(
        user.id, user.username, frozenset(), frozenset(categories), Claims(user.id, user.username, 0, user.session, 0)
    )


@pytest.fixture
def rooms(call, world):
    """Eight tickets: the id of each, its learner, its agent, and somebody who has no part in it."""
    category, slug = world.category()

    def room():
        alice, other = world.user("alice"), world.user("mallory")
        body = {"category": slug, "subject": "Help", "message": "It is dark."}
        ticket = uuid.UUID(call(alice, "POST", "/tickets/", body).json()["id"])
        agent = person(world.user("bob"), category)
        return SimpleNamespace(ticket=ticket, alice=person(alice), agent=agent, other=person(other))

    return [room() for _ in range(8)]


def kept(ticket):
    with psycopg.connect(url("chat_owner")) as connection:
        rows = connection.execute(
            "SELECT seq, coalesce(client_id, body) FROM chat.message WHERE ticket_id = %s ORDER BY seq", [ticket]
        ).fetchall()
        head = connection.execute("SELECT head_seq FROM chat.ticket WHERE id = %s", [ticket]).fetchone()
        assert head == (len(rows),)
    assert [seq for seq, _ in rows] == list(range(1, len(rows) + 1))
    return rows


async def test_one_that_cannot_be_kept_does_not_fail_those_beside_it(stores, rooms):
    mine, closed, *_ = rooms
    with psycopg.connect(url("chat_owner"), autocommit=True) as connection:
        connection.execute("UPDATE chat.ticket SET state = 'closed', closed_at = now() WHERE id = %s", [closed.ticket])
    store = stores[0]
    answers = await asyncio.gather(
        store.append(mine.alice, mine.ticket, "Good", "a"),
        store.append(mine.other, mine.ticket, "Not mine", "b"),
        store.append(mine.agent, mine.ticket, "Nul \0 breaks a rule of the database", "c"),
        store.append(closed.alice, closed.ticket, "Too late", "d"),
        store.append(mine.agent, mine.ticket, "Good too", "e"),
        store.append(mine.alice, mine.ticket, "The same again", "a"),
        return_exceptions=True,
    )
    assert [type(answers[place]) for place in (1, 2, 3)] == [Refused, psycopg.DataError, Refused]
    assert answers[5].id == answers[0].id
    assert {key for _, key in kept(mine.ticket)} == {"It is dark.", "a", "e"}
    assert kept(closed.ticket) == [(1, "It is dark.")]


async def test_messages_gather_for_a_moment_only_where_there_are_many(stores, rooms, paused):
    for number, room in enumerate(rooms):
        await stores[0].append(room.alice, room.ticket, "Alone", f"alone-{number}")
    assert paused == []
    await asyncio.gather(*(stores[0].append(room.alice, room.ticket, "Together", "together") for room in rooms))
    assert set(paused) == {MESSAGES_APART}
    paused.clear()
    crowd = [(room, number) for room in rooms for number in range(PLENTY // len(rooms))]
    await asyncio.gather(*(stores[0].append(room.alice, room.ticket, "A crowd", f"{number}") for room, number in crowd))
    assert paused == []
    await asyncio.gather(*(stores[1].messages_after(room.ticket, 0, 10) for room in rooms))
    assert set(paused) == {MESSAGES_APART}


async def test_only_who_arrives_waits_for_a_crowd_to_gather(stores, rooms, paused):
    """A message waits for who its sender is; 20 ms more would be the largest part of its way."""
    everybody = [room.alice.claims for room in rooms]
    await asyncio.gather(*(stores[0].person(claims) for claims in everybody))
    assert CROWDS_APART not in paused
    await asyncio.gather(*(stores[0].person(claims, arriving=True) for claims in everybody))
    assert CROWDS_APART in paused


async def test_plans_made_while_the_tables_are_small_serve_them_when_they_have_grown(stores, rooms):
    """They are kept with their connection: one that read all of a table made each message dearer than the one before."""
    store, room = stores[0], rooms[0]
    written = await store.append(room.alice, room.ticket, "Good", "a")
    assert (await store.append(room.alice, room.ticket, "Good", "a")).id == written.id
    with pytest.raises(Refused):  # by itself, as whoever shares no statement
        await store.append(room.other, room.ticket, "Not mine", "b")
    await store.append_note(room.agent, room.ticket, "Do you know?", "c")
    await store.person(room.alice.claims)
    await store.greet(room.ticket)
    await store.look(room.ticket)
    await store.messages_after(room.ticket, 0, 10)
    await store.notes_after(room.ticket, 0, 10)
    await store.mark_read(room.agent, room.ticket, written.seq)
    await store.answers_tickets(room.agent.id)
    await store.renew_leases([room.agent.id], timedelta(minutes=1))
    nodes = [node async for plan in plans(store) for node in inside(plan)]
    ours = [node for node in nodes if node.get("Schema") == "chat"]  # core's are stand-ins here, without indexes
    assert {"ticket", "message", "note"} <= {node["Relation Name"] for node in ours}
    assert [node for node in ours if node["Node Type"] == "Seq Scan"] == []
    # A plan that looks for client ids by anything else reads more with each message that somebody writes.
    assert [node for node in ours if "client_id" in node.get("Filter", "")] == []
    assert len([node for node in ours if node.get("Index Name", "").endswith("_client_id_once")]) >= 2
    assert [node for node in nodes if node["Node Type"] in ("Hash Join", "Merge Join")] == []


async def plans(store):
    """Those that the store's connections have kept."""
    for connection in list(store._pool._pool):
        kept = await connection.execute("SELECT name, cardinality(parameter_types) FROM pg_prepared_statements")
        for name, parameters in await kept.fetchall():
            values = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
            execute = f"EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE {name}{values}"
            explained = await connection.execute(execute, prepare=False)
            yield (await explained.fetchone())[0][0]["Plan"]


def inside(plan):
    yield plan
    for each in plan.get("Plans", ()):
        yield from inside(each)


async def test_a_ticket_that_somebody_holds_keeps_only_its_own_people_waiting(stores, rooms):
    held, free, *_ = rooms
    store = stores[0]
    with psycopg.connect(url("chat_owner")) as holder:
        holder.execute("SELECT FROM chat.ticket WHERE id = %s FOR UPDATE", [held.ticket])
        waiting = asyncio.create_task(store.append(held.alice, held.ticket, "I wait", "w"))
        for number in range(5):
            assert (await store.append(free.alice, free.ticket, "I do not", f"f{number}")).seq == number + 2
        assert not waiting.done()
    assert (await waiting).seq == 2


async def test_whatever_fails_what_was_acknowledged_is_there_once_and_in_order(stores, rooms):
    """Connections break at random, the same message comes twice, over two processes; who was not answered asks again."""
    chance = random.Random(7)
    answers = defaultdict(dict)
    over = False

    async def break_connections() -> None:
        statement = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s AND usename = 'lectern_chat'"
            " AND state = 'active'"
        )
        async with await psycopg.AsyncConnection.connect(POSTGRES, autocommit=True) as admin:
            while not over:
                await admin.execute(statement, [DATABASE])
                await asyncio.sleep(chance.uniform(0, 0.05))

    async def talk(its, who, name) -> None:
        for number in range(12):
            key = f"{name}.{number}" if chance.random() < 0.8 else f"shared.{number}.{who.username}"
            while True:
                try:
                    row = await chance.choice(stores).append(who, its.ticket, key, key)
                    break
                except OUTAGE:
                    await asyncio.sleep(0.01)
            assert answers[its.ticket].setdefault(key, row.seq) == row.seq

    breaking = asyncio.create_task(break_connections())
    people = [(its, who) for its in rooms for who in (its.alice, its.agent) for _ in range(2)]
    await asyncio.gather(*(talk(its, who, str(place)) for place, (its, who) in enumerate(people)))
    over = True
    await breaking
    for its in rooms:
        assert {key: seq for seq, key in kept(its.ticket)} == answers[its.ticket] | {"It is dark.": 1}


class Wire:
    """Rows as they are committed, and what a writer made of them. Reading fails now and then."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.rows: list[SimpleNamespace] = []
        self.sent: list[int] = []
        self.starts = [0]
        self.told = 0
        self.writer = Writer(0, self.read, self.send, self.send_now)

    async def read(self, after, limit):
        await asyncio.sleep(0)
        if self.chance.random() < 0.1:
            raise psycopg.OperationalError("away")
        found = self.rows[after : after + limit]
        await asyncio.sleep(0)
        return found

    async def send(self, row):
        self.sent.append(row.seq)
        await asyncio.sleep(0)

    def send_now(self, row):
        """As far as the other side reads."""
        if reads := self.chance.random() < 0.7:
            self.sent.append(row.seq)
        return reads

    def commit(self) -> None:
        for _ in range(self.chance.choice((0, 1, 1, 3))):
            self.rows.append(SimpleNamespace(seq=len(self.rows) + 1))

    def tell(self) -> None:
        """Handed over, handed over again (its author asked again), hinted at, begun anew, or nothing."""
        way = self.chance.random()
        if way < 0.5 and self.told < len(self.rows):
            self.told += 1
            self.writer.hand(self.rows[self.told - 1])
        elif way < 0.6 and self.rows:
            self.writer.hand(self.chance.choice(self.rows))
        elif way < 0.8:
            self.told = len(self.rows)
            self.writer.wake(self.told)
        elif way < 0.82:
            self.starts.append(self.chance.randrange(len(self.rows) + 1))
            self.writer.restart(self.starts[-1])


async def test_a_writer_at_rest_sends_what_it_is_handed_at_once_if_the_other_side_reads():
    wire, reads = Wire(0), iter([True, False])
    wire.writer = Writer(0, wire.read, wire.send, lambda row: next(reads, True) and not wire.sent.append(row.seq))
    running = asyncio.create_task(wire.writer.run())
    for _ in range(10):
        await asyncio.sleep(0)
    for seq in (1, 2, 3):
        wire.rows.append(SimpleNamespace(seq=seq))
        wire.writer.hand(wire.rows[-1])
    assert wire.sent == [1]
    for _ in range(10):
        await asyncio.sleep(0)
    running.cancel()
    assert wire.sent == [1, 2, 3]


@pytest.mark.parametrize("seed", range(20))
async def test_a_writer_sends_every_row_once_and_in_order_however_it_hears_of_them(seed, monkeypatch):
    monkeypatch.setattr(delivery, "RETRY_AFTER", 0)
    wire = Wire(seed)
    running = asyncio.create_task(wire.writer.run())
    for _ in range(300):
        wire.commit()
        wire.tell()
        for _ in range(wire.chance.choice((0, 0, 1, 5))):
            await asyncio.sleep(0)
    wire.writer.wake(len(wire.rows))  # the sweep
    for _ in range(10_000):
        await asyncio.sleep(0)
    running.cancel()
    assert wire.sent[-1] == len(wire.rows)
    jumps = [after for before, after in pairwise([0, *wire.sent]) if after != before + 1]
    assert len(jumps) < len(wire.starts)
    assert {after - 1 for after in jumps} <= set(wire.starts)
