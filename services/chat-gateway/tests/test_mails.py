"""One mail for each stretch of messages that somebody who is away has not read, whoever sweeps, however often, whatever dies."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from django.db import connections

from tests.conftest import url
from tests.server import ChatServer, wait_for
from tests.sockets import ask, close_all, opened
from tickets import letters, mails

AT_ONCE = timedelta(0)
LATER = timedelta(minutes=5)


def say(call, person, ticket, message):
    answer = call(person, "POST", f"/tickets/{ticket['id']}/messages/", {"message": message})
    assert answer.status_code == 201, answer.content


def read(call, person, ticket, seq):
    assert call(person, "POST", f"/tickets/{ticket['id']}/read/", {"seq": seq}).status_code == 200


def sweep(*looking, after=AT_ONCE):
    mails.sweep([(uuid.UUID(ticket["id"]), person.id) for ticket, person in looking], after)


def test_a_stretch_of_unread_messages_is_told_once(call, world, alice, bob, ticket):
    say(call, bob, ticket, "Turn on the light.")
    say(call, bob, ticket, "The switch is left of the door.")
    sweep()
    ((kind, subject, text),) = world.mails(alice)
    assert (kind, subject) == ("ticket_unread", f"Unread messages in support ticket {ticket['number']}")
    assert text.startswith("There are 2 messages in support ticket")
    assert "switch" not in text
    say(call, bob, ticket, "Still there?")
    sweep()
    assert len(world.mails(alice)) == 1


def test_after_reading_the_next_stretch_is_told_anew(call, world, alice, bob, ticket):
    say(call, bob, ticket, "Turn on the light.")
    sweep()
    read(call, alice, ticket, 2)
    sweep()
    assert len(world.mails(alice)) == 1
    say(call, bob, ticket, "And off again.")
    sweep()
    assert [text.splitlines()[0][:18] for _, _, text in world.mails(alice)] == ["There is a message"] * 2


def test_answering_counts_as_reading(call, world, alice, bob, ticket):
    say(call, bob, ticket, "Turn on the light.")
    say(call, alice, ticket, "I did.")
    sweep()
    assert world.mails(alice) == []
    say(call, bob, ticket, "Good.")
    sweep()
    assert len(world.mails(alice)) == 1


def test_nobody_is_told_of_their_own_messages_or_too_early(call, world, alice, bob, ticket):
    sweep()
    assert world.mails(alice) == []
    say(call, bob, ticket, "Turn on the light.")
    sweep(after=LATER)
    assert world.mails(alice) == []


def test_who_looks_at_the_ticket_is_told_when_they_are_gone(call, world, alice, bob, ticket):
    say(call, bob, ticket, "Turn on the light.")
    sweep((ticket, alice))
    sweep()  # another process: its sockets are others
    assert world.mails(alice) == []
    with psycopg.connect(url("chat_owner"), autocommit=True) as owner:
        owner.execute("UPDATE chat.unread_mail SET present_until = now() WHERE user_id = %s", [alice.id])
    sweep()
    assert len(world.mails(alice)) == 1


def test_the_last_answer_of_a_ticket_closed_with_it_is_told(call, world, alice, bob, ticket):
    say(call, bob, ticket, "Turn on the light.")
    call(bob, "POST", f"/tickets/{ticket['id']}/close/")
    sweep()
    assert len(world.mails(alice)) == 1


def test_the_tickets_agent_is_told_while_they_are_away(call, world, alice, bob, ticket):
    call(bob, "PUT", "/agents/me/", {"status": "online"})
    sweep()
    assert world.mails(bob) == []
    call(bob, "PUT", "/agents/me/", {"status": "away"})
    sweep()
    ((_, _, text),) = world.mails(bob)
    assert "/admin/support/" in text
    assert world.mails(alice) == []


def test_many_sweeps_at_once_tell_once(call, world, alice, bob, ticket):
    say(call, bob, ticket, "Turn on the light.")
    (stretch,) = (each for each in mails.unread(AT_ONCE) if each.person == alice.id)
    barrier = threading.Barrier(8)

    def tell():
        try:
            barrier.wait(5)
            return mails.tell(stretch)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        told = [threads.submit(tell) for _ in range(8)]
        assert sum(each.result(timeout=10) for each in told) == 1
    assert len(world.mails(alice)) == 1


def test_a_process_that_dies_half_way_has_told_nothing(call, world, alice, bob, ticket):
    """Its mail and its mark are one commit: another process waits for the outcome, then tells instead."""
    say(call, bob, ticket, "Turn on the light.")
    (stretch,) = (each for each in mails.unread(AT_ONCE) if each.person == alice.id)
    about = {"ticket": stretch.ticket, "person": alice.id, "head_seq": 2, "first_seq": 2}
    letter = letters.unread(alice.id, stretch.number, 1, agent=False)
    with psycopg.connect(url("chat")) as dying, ThreadPoolExecutor() as thread:
        dying.execute(mails.TELL, about | letter)
        other = thread.submit(in_thread, lambda: mails.tell(stretch))
        wait_for(lambda: world.connection.execute("SELECT true FROM pg_locks WHERE NOT granted").fetchone())
        assert not other.done()
        dying.close()
        assert other.result(timeout=10) == 1
    assert len(world.mails(alice)) == 1


def in_thread(work):
    try:
        return work()
    finally:
        connections.close_all()


@pytest.fixture(scope="module")
def two_processes(world):
    """Two servers that tell of what is unread for two seconds."""
    running = [ChatServer(LECTERN_CHAT_MAIL_AFTER="0.034").start() for _ in range(2)]
    yield running
    for each in running:
        each.stop()


async def test_serving_processes_tell_once_and_leave_alone_who_is_there(
    two_processes, world, alice, mallory, bob, category
):
    one, other = two_processes

    async def answered(learner):
        new = {"category": category[1], "subject": "Help", "message": "It is dark."}
        ticket = (await ask(one, learner, "POST", "/tickets/", new)).json()["id"]
        if learner is mallory:
            await opened(one.chat(ticket, f"?token={learner.token()}"))
        await ask(other, bob, "POST", f"/tickets/{ticket}/messages/", {"message": "Turn on the light."})

    late = world.user("late")
    await answered(mallory)
    await answered(alice)
    wait_for(lambda: world.mails(alice), seconds=15)
    await answered(late)
    wait_for(lambda: world.mails(late), seconds=15)  # so the sweeps came by again
    assert [len(world.mails(learner)) for learner in (alice, late, mallory)] == [1, 1, 0]
    await close_all()


@pytest.mark.parametrize(("leave", "read_up_to"), [("close", 2), ("abort", None)])
async def test_what_a_plain_client_was_sent_counts_as_read_when_it_says_good_bye(
    server, alice, bob, ticket, leave, read_up_to
):
    """A lost connection says nothing of what arrived."""
    client = await opened(server.chat(ticket["id"], f"?token={alice.token()}&since=0"))
    await ask(server, bob, "POST", f"/tickets/{ticket['id']}/messages/", {"message": "Turn on the light."})
    for _ in range(2):
        await client.raw()
    if leave == "close":
        await client.connection.close()
    else:
        client.connection.transport.abort()
    with psycopg.connect(url("chat"), autocommit=True) as chat:

        def mark():
            found = chat.execute("SELECT seq FROM chat.read_cursor WHERE user_id = %s", [alice.id]).fetchone()
            return found and found[0]

        if read_up_to:
            wait_for(mark, seconds=5)
        else:
            await opened(server.chat(ticket["id"], f"?token={alice.token()}"))  # the server is past the other's end
        assert mark() == read_up_to
