"""Canned answers, transcripts and statistics."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from realtime.verifier import Claims
from tests.test_tickets import new_ticket
from tickets import actions, bulk_sql
from tickets.models import Ticket
from tickets.people import Person


def test_agents_are_offered_the_answers_of_their_categories(call, world, alice, bob, category):
    here, everywhere = world.canned_answer("here", category[0]), world.canned_answer("everywhere")
    elsewhere = world.canned_answer("elsewhere", world.category()[0])
    offered = {each["shortcut"]: each for each in call(bob, "GET", "/canned-answers/").json()}
    assert {here, everywhere} <= set(offered)
    assert elsewhere not in offered
    assert (offered[here]["category"], offered[everywhere]["category"]) == (category[1], None)
    assert offered[here]["text"] == "Hello!"
    of_another = [each["shortcut"] for each in call(bob, "GET", "/canned-answers/?category=another").json()]
    assert here not in of_another
    assert everywhere in of_another
    assert call(alice, "GET", "/canned-answers/").status_code == 403


def test_a_transcript_is_the_conversation_in_its_order(call, alice, bob, ticket):
    call(bob, "POST", f"/tickets/{ticket['id']}/messages/", {"message": "Turn on\nthe light."})
    call(bob, "POST", f"/tickets/{ticket['id']}/notes/", {"note": "She forgot the switch."})
    answer = call(alice, "GET", f"/tickets/{ticket['id']}/transcript/")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="ticket-{ticket["number"]}.txt"'
    lines = answer.content.decode().splitlines()
    assert lines[0] == f"Ticket {ticket['number']}: Help"
    said = [line for line in lines[lines.index("") + 1 :] if line]
    assert [line.split(" ", 1)[1] for line in said if not line.startswith(" ")] == [
        f"{alice.username}:",
        f"{bob.username}:",
    ]
    assert [line for line in said if line.startswith(" ")] == ["    It is dark.", "    Turn on", "    the light."]


def test_only_agents_get_a_transcript_with_the_notes(call, alice, bob, ticket):
    call(bob, "POST", f"/tickets/{ticket['id']}/notes/", {"note": "She forgot the switch."})
    assert call(alice, "GET", f"/tickets/{ticket['id']}/transcript/?notes=1").status_code == 404
    text = call(bob, "GET", f"/tickets/{ticket['id']}/transcript/?notes=1").content.decode()
    assert text.index("It is dark.") < text.index(f"{bob.username} (note):\n    She forgot the switch.")


def test_a_long_transcript_is_whole(call, alice, ticket, monkeypatch):
    monkeypatch.setattr("tickets.transcript.PAGE", 2)
    for number in range(4):
        call(alice, "POST", f"/tickets/{ticket['id']}/messages/", {"message": f"Message {number}"})
    text = call(alice, "GET", f"/tickets/{ticket['id']}/transcript/").content.decode()
    assert [line.strip() for line in text.splitlines() if "Message" in line] == [f"Message {n}" for n in range(4)]


def test_the_first_answer_of_an_agent_is_kept(call, alice, bob, ticket):
    assert call(alice, "GET", f"/tickets/{ticket['id']}/").json()["first_response_at"] is None
    call(alice, "POST", f"/tickets/{ticket['id']}/messages/", {"message": "Anybody?"})
    assert Ticket.objects.get(pk=ticket["id"]).first_response_at is None
    call(bob, "POST", f"/tickets/{ticket['id']}/messages/", {"message": "Yes."})
    first = Ticket.objects.get(pk=ticket["id"])
    assert first.first_response_by_id == bob.id
    call(bob, "POST", f"/tickets/{ticket['id']}/messages/", {"message": "Still here."})
    assert Ticket.objects.get(pk=ticket["id"]).first_response_at == first.first_response_at


def test_the_first_answer_is_kept_of_messages_that_are_committed_together(call, world, alice, bob, ticket, category):
    colleague = world.agent("carol", category[0])
    people = [person_for(each, category) for each in (alice, bob, colleague)]
    together = [actions.message_parameters(each, ticket["id"], "Hello.", None) for each in people]
    with connection.cursor() as cursor:
        cursor.execute(bulk_sql.APPEND_MESSAGES, bulk_sql.append_parameters(together))
        assert len(cursor.fetchall()) == 3
    answered = Ticket.objects.get(pk=ticket["id"])
    assert (answered.head_seq, answered.first_response_by_id) == (4, bob.id)


def person_for(user, category):
    claims = Claims(user.id, user.username, 0, user.session, 0)
    return Person(user.id, user.username, frozenset(), frozenset([category[0]]), claims)


@pytest.fixture
def lead(world, category):
    return world.agent("lea", category[0], lead=True)


def statistics(call, lead, category, agent, query):
    answer = call(lead, "GET", f"/stats/{query}")
    assert answer.status_code == 200, answer.content
    (of_category,) = (each for each in answer.json()["categories"] if each["slug"] == category[1])
    (of_agent,) = (each for each in answer.json()["agents"] if each["username"] == agent.username)
    return of_category, of_agent


def test_the_lead_sees_how_the_desk_does(call, alice, bob, lead, category):
    tickets = [call(alice, "POST", "/tickets/", new_ticket(category)).json()["id"] for _ in range(4)]
    for number, ticket in enumerate(tickets[:3], 1):
        call(bob, "POST", f"/tickets/{ticket}/claim/")
        call(bob, "POST", f"/tickets/{ticket}/messages/", {"message": "Hello."})
        call(bob, "POST", f"/tickets/{ticket}/close/")
        call(alice, "POST", f"/tickets/{ticket}/rate/", {"score": number})
        opened = F("created_at")
        Ticket.objects.filter(pk=ticket).update(
            first_response_at=opened + timedelta(seconds=60 * number), closed_at=opened + timedelta(hours=number)
        )
    around_now = (
        f"?start={timezone.now() - timedelta(days=1):%Y-%m-%d}&end={timezone.now() + timedelta(days=2):%Y-%m-%d}"
    )
    of_category, of_agent = statistics(call, lead, category, bob, around_now)
    assert (of_category["opened"], of_category["closed"], of_category["waiting"]) == (4, 3, 1)
    assert of_category["oldest_queued_at"] is not None
    assert (of_agent["assigned"], of_agent["closed"], of_agent["open"]) == (3, 3, 0)
    for group in (of_category, of_agent):
        assert group["first_response"] == {"count": 3, "median_s": 120.0, "p90_s": 168.0}
        assert group["resolution"] == {"count": 3, "median_s": 7200.0, "p90_s": 10080.0}
        assert group["rating"] == {"count": 3, "mean": 2.0}


def test_a_period_without_tickets_has_none(call, bob, lead, category, ticket):
    of_category, of_agent = statistics(call, lead, category, bob, "?start=2020-01-01&end=2020-02-01")
    assert (of_category["opened"], of_category["waiting"], of_agent["closed"]) == (0, 1, 0)
    assert of_category["first_response"] == {"count": 0, "median_s": None, "p90_s": None}
    assert of_agent["rating"] == {"count": 0, "mean": None}


@pytest.mark.parametrize(
    "query",
    ["?start=knots", "?start=2026-02-01&end=2026-01-01", "?start=2020-01-01&end=2026-01-01", "?end=0119-02-01"],
)
def test_a_period_that_is_none_is_refused(call, lead, query):
    assert call(lead, "GET", f"/stats/{query}").status_code == 422


def test_agents_see_no_statistics(call, bob):
    assert call(bob, "GET", "/stats/").status_code == 403
