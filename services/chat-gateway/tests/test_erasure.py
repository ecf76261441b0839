"""Whom core-api has erased is erased here: by the notification, by the sweep, and whatever was being written meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from django.db import IntegrityError, connection, connections

from tests.conftest import url
from tests.server import wait_for
from tickets import erasure, sql
from tickets.models import AgentStatus, Erasure, Message, ReadCursor, Ticket, new_id

AT_ONCE = timedelta(0)  # what people were writing is settled: the pass is the last one


def say(call, person, ticket, message):
    answer = call(person, "POST", f"/tickets/{ticket['id']}/messages/", {"message": message})
    assert answer.status_code == 201, answer.content


def conversation(call, person, ticket):
    messages = call(person, "GET", f"/tickets/{ticket['id']}/messages/").json()["results"]
    return [(each["seq"], each["sender"], each["message"]) for each in messages]


def texts_of(user):
    return set(Message.objects.filter(ticket__learner_id=user.id).values_list("body", flat=True))


def test_a_learners_texts_and_names_go_and_the_numbers_stay(call, world, alice, bob, ticket):
    say(call, alice, ticket, "My address is 12 Long Lane.")
    say(call, bob, ticket, "Dear Alice, thank you.")
    call(alice, "POST", f"/tickets/{ticket['id']}/read/", {"seq": 3})
    alias = world.erase(alice)
    erasure.erase_pending()
    assert conversation(call, bob, ticket) == [(1, alias, ""), (2, alias, ""), (3, bob.username, "")]
    shown = call(bob, "GET", f"/tickets/{ticket['id']}/").json()
    assert (shown["learner"], shown["subject"], shown["state"], shown["head_seq"]) == (alias, "", "closed", 3)
    assert not ReadCursor.objects.filter(user_id=alice.id).exists()


def test_an_erased_ticket_stays_closed(call, world, alice, bob, ticket):
    world.erase(alice)
    erasure.erase_pending()
    reopened = call(bob, "POST", f"/tickets/{ticket['id']}/reopen/")
    assert (reopened.status_code, reopened.json()["code"]) == (409, "ticket_erased")
    written = call(bob, "POST", f"/tickets/{ticket['id']}/messages/", {"message": "Still there?"})
    assert (written.status_code, written.json()["code"]) == (409, "ticket_closed")
    with pytest.raises(IntegrityError, match="ticket_erased_stays_closed"):
        Ticket.objects.filter(pk=ticket["id"]).update(state="queued", closed_at=None)


def test_what_an_agent_wrote_to_learners_stays_without_the_agents_name(call, world, alice, bob, ticket):
    call(bob, "PUT", "/agents/me/", {"status": "online"})
    say(call, bob, ticket, "Try the other browser.")
    alias = world.erase(bob)
    erasure.erase_pending()
    assert conversation(call, alice, ticket)[1] == (2, alias, "Try the other browser.")
    shown = call(alice, "GET", f"/tickets/{ticket['id']}/").json()
    assert (shown["state"], shown["assignee"]) == ("queued", None)
    assert not AgentStatus.objects.filter(user_id=bob.id).exists()


def test_others_are_left_alone(call, world, alice, mallory, bob, ticket, category):
    theirs = {"category": category[1], "subject": "Mine", "message": "Mine too."}
    other = call(mallory, "POST", "/tickets/", theirs).json()
    world.erase(alice)
    erasure.erase_pending()
    assert conversation(call, mallory, other) == [(1, mallory.username, "Mine too.")]
    assert Ticket.objects.get(pk=other["id"]).subject == "Mine"


def test_the_serving_process_erases_on_the_notification(running_server, call, world, alice, ticket):
    world.erase(alice)
    wait_for(lambda: texts_of(alice) == {""}, seconds=3)


def test_the_serving_process_makes_up_for_a_lost_notification(running_server, call, world, alice, ticket):
    world.erase(alice, notify=False)
    wait_for(lambda: texts_of(alice) == {""}, seconds=5)


def test_a_message_that_is_being_written_does_not_survive(world, alice, ticket):
    """Its transaction holds the ticket's row when the erasure comes: the erasure waits for it, and empties it."""
    message = {"id": new_id(), "ticket": ticket["id"], "client_id": None, "body": "My secret", "attachment": None}
    sender = {"sender": alice.id, "username": alice.username, "categories": []}
    with psycopg.connect(url("chat")) as writing, ThreadPoolExecutor() as thread:
        writing.execute(sql.APPEND_MESSAGE, message | sender)
        world.erase(alice, notify=False)
        erasing = thread.submit(in_thread, erasure.erase_pending)
        wait_for(lambda: waits_for_a_lock(world))
        writing.commit()
        erasing.result(timeout=10)
    assert texts_of(alice) == {""}
    assert list(Message.objects.filter(ticket=ticket["id"]).order_by("seq").values_list("seq", flat=True)) == [1, 2]


def test_a_ticket_that_is_being_opened_does_not_survive_the_second_pass(world, alice, category, ticket):
    with psycopg.connect(url("chat")) as opening:
        opening.execute(
            "INSERT INTO chat.ticket (id, category_id, category_slug, learner_id, learner_username, subject, state, head_seq)"
            " VALUES (gen_random_uuid(), %s, %s, %s, %s, 'My illness', 'queued', 0)",
            [category[0], category[1], alice.id, alice.username],
        )
        world.erase(alice, notify=False)
        erasure.erase_pending()
        assert not Erasure.objects.get(user_id=alice.id).settled
        opening.commit()
    erasure.erase_pending(AT_ONCE)
    assert set(Ticket.objects.filter(learner_id=alice.id).values_list("subject", "state")) == {("", "closed")}
    assert Erasure.objects.get(user_id=alice.id).settled


def test_several_processes_at_once_do_no_harm(call, world, alice, ticket):
    world.erase(alice, notify=False)
    barrier = threading.Barrier(4)

    def erase():
        barrier.wait(5)
        return erasure.erase_pending(AT_ONCE)

    with ThreadPoolExecutor() as threads:
        for erasing in [threads.submit(in_thread, erase) for _ in range(4)]:
            erasing.result(timeout=10)
    assert texts_of(alice) == {""}
    assert Ticket.objects.get(pk=ticket["id"]).assignments.filter(reason="closed").count() == 1


def test_who_is_erased_is_not_looked_at_again(world, alice, ticket):
    world.erase(alice, notify=False)
    erasure.erase_pending(AT_ONCE)
    assert alice.id not in {person.id for person in erasure.pending(AT_ONCE)}


def test_a_later_erasure_of_the_same_person_is_another_one(call, world, alice, ticket):
    """As after a backup from before it was restored: what came back goes again."""
    world.erase(alice, notify=False)
    erasure.erase_pending(AT_ONCE)
    world.connection.execute(
        "UPDATE core.principal SET erased_at = NULL, is_active = true WHERE user_id = %s", [alice.id]
    )
    Ticket.objects.filter(pk=ticket["id"]).update(erased_at=None, subject="It is back")
    world.erase(alice, notify=False)
    erasure.erase_pending(AT_ONCE)
    assert Ticket.objects.get(pk=ticket["id"]).subject == ""


def test_what_is_held_about_a_person_is_published_for_their_export(call, world, alice, bob, mallory, ticket, category):
    call(mallory, "POST", "/tickets/", {"category": category[1], "subject": "Mine", "message": "Not hers."})
    say(call, bob, ticket, "Look at the second lesson.")
    with psycopg.connect(url("core")) as core:
        rows = core.execute("SELECT kind, record FROM chat_published.held_about(%s)", [alice.id]).fetchall()
        agents = core.execute("SELECT kind, record FROM chat_published.held_about(%s)", [bob.id]).fetchall()
    assert [(kind, record["subject"]) for kind, record in rows if kind == "tickets"] == [("tickets", "Help")]
    messages = [(record["message"], record["own"]) for kind, record in rows if kind == "messages"]
    assert messages == [("It is dark.", True), ("Look at the second lesson.", False)]
    assert [record["message"] for kind, record in agents if kind == "messages"] == ["Look at the second lesson."]


def in_thread(work):
    try:
        return work()
    finally:
        connections.close_all()


def waits_for_a_lock(world):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')")
        return cursor.fetchone()[0] > 0
