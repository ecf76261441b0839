"""Tickets whose learner does not answer are closed, with notice; nobody who waits for an answer is sent away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from django.db import connections
from django.utils import timezone

from tests.conftest import url
from tickets import idle, sql
from tickets.models import Assignment, Message, Ticket, new_id

WEEK = timedelta(days=7)


def say(call, person, ticket, message):
    answer = call(person, "POST", f"/tickets/{ticket['id']}/messages/", {"message": message})
    assert answer.status_code == 201, answer.content


def shown(call, person, ticket):
    return call(person, "GET", f"/tickets/{ticket['id']}/").json()


def pass_days(ticket, days):
    """As if everything about the ticket had been so long ago."""
    past = timedelta(days=days)
    with psycopg.connect(url("chat_owner"), autocommit=True) as owner:
        owner.execute("UPDATE chat.message SET created_at = created_at - %s WHERE ticket_id = %s", [past, ticket["id"]])
        owner.execute(
            "UPDATE chat.ticket SET queued_at = queued_at - %(past)s, closes_at = closes_at - %(past)s WHERE id = %(id)s",
            {"past": past, "id": ticket["id"]},
        )


@pytest.fixture
def answered(call, bob, ticket):
    """alice's ticket; bob's answer is six days old."""
    say(call, bob, ticket, "Did the light come on?")
    pass_days(ticket, 6.1)
    return ticket


def test_the_learner_is_told_a_day_before(call, world, alice, answered):
    idle.sweep(WEEK)
    idle.sweep(WEEK)
    ((kind, subject, text),) = world.mails(alice)
    assert (kind, "about to be closed" in subject, "UTC" in text) == ("ticket_closes", True, True)
    closes_at = Ticket.objects.get(pk=answered["id"]).closes_at
    assert timedelta(hours=23) < closes_at - timezone.now() <= timedelta(days=1)
    assert shown(call, alice, answered)["closes_at"] == closes_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert shown(call, alice, answered)["state"] == "queued"


def test_it_is_closed_when_nobody_writes(call, alice, answered):
    idle.sweep(WEEK)
    pass_days(answered, 1.1)
    idle.sweep(WEEK)
    now = shown(call, alice, answered)
    assert (now["state"], now["closes_at"]) == ("closed", None)
    (last,) = Assignment.objects.filter(ticket=answered["id"])
    assert (last.reason, last.actor_id, last.agent_id) == ("idle", None, None)


@pytest.mark.parametrize("writer", ["alice", "bob"])
def test_any_message_makes_the_notice_void(call, request, alice, answered, writer):
    idle.sweep(WEEK)
    say(call, request.getfixturevalue(writer), answered, "One more thing.")
    assert shown(call, alice, answered)["closes_at"] is None
    pass_days(answered, 1.1)
    idle.sweep(WEEK)
    assert shown(call, alice, answered)["state"] == "queued"


def test_who_waits_for_an_answer_is_not_sent_away(call, world, alice, ticket):
    pass_days(ticket, 30)
    idle.sweep(WEEK)
    assert (shown(call, alice, ticket)["closes_at"], world.mails(alice)) == (None, [])


def test_a_reopened_ticket_starts_anew(call, world, alice, answered):
    idle.sweep(WEEK)
    pass_days(answered, 1.1)
    idle.sweep(WEEK)
    call(alice, "POST", f"/tickets/{answered['id']}/reopen/")
    idle.sweep(WEEK)
    assert (shown(call, alice, answered)["state"], len(world.mails(alice))) == ("queued", 1)


def test_a_message_that_is_being_written_wins(call, alice, answered):
    """It holds the ticket's row when the time is up: the ticket is left for the next time, and then it is not idle."""
    idle.sweep(WEEK)
    pass_days(answered, 1.1)
    message = {"id": new_id(), "ticket": answered["id"], "client_id": None, "body": "Yes!", "attachment": None}
    sender = {"sender": alice.id, "username": alice.username, "categories": []}
    with psycopg.connect(url("chat")) as writing:
        writing.execute(sql.APPEND_MESSAGE, message | sender)
        idle.sweep(WEEK)
        writing.commit()
    idle.sweep(WEEK)
    assert shown(call, alice, answered)["state"] == "queued"
    assert Message.objects.filter(ticket=answered["id"]).count() == 3


def test_several_processes_close_it_once(call, world, alice, answered):
    idle.sweep(WEEK)
    pass_days(answered, 1.1)

    def sweep(_):
        try:
            return idle.sweep(WEEK)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(sweep, range(4)))
    assert Assignment.objects.filter(ticket=answered["id"], reason="idle").count() == 1
    assert len(world.mails(alice)) == 1
