"""What agents say to each other about a ticket: in an order of its own, and never to its learner."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connections

from tests.conftest import url
from tickets import erasure
from tickets.models import Note


def note(call, person, ticket, text, **more):
    return call(person, "POST", f"/tickets/{ticket['id']}/notes/", {"note": text, **more})


def notes(call, person, ticket, query=""):
    return call(person, "GET", f"/tickets/{ticket['id']}/notes/{query}").json()


@pytest.fixture
def carol(world, category):
    """Another agent of bob's category."""
    return world.agent("carol", category[0])


def test_agents_of_the_category_read_each_others_notes_in_order(call, bob, carol, ticket):
    first = note(call, bob, ticket, "She was double charged.")
    assert (first.status_code, first.json()["note_seq"], first.json()["sender"]) == (201, 1, bob.username)
    assert note(call, carol, ticket, "Finance knows.").json()["note_seq"] == 2
    page = notes(call, carol, ticket)
    assert [(each["note_seq"], each["note"]) for each in page["results"]] == [
        (1, "She was double charged."),
        (2, "Finance knows."),
    ]
    assert (page["count"], page["next"]) == (2, None)
    page = notes(call, carol, ticket, "?limit=1")
    assert page["next"].endswith(f"/tickets/{ticket['id']}/notes/?after=1&limit=1")


def test_the_learner_sees_neither_notes_nor_that_there_are_any(call, alice, bob, ticket):
    before = call(alice, "GET", f"/tickets/{ticket['id']}/").json()
    note(call, bob, ticket, "Difficult customer.")
    assert call(alice, "GET", f"/tickets/{ticket['id']}/notes/").status_code == 403
    assert call(alice, "GET", f"/tickets/{ticket['id']}/").json() == before
    assert call(alice, "GET", f"/tickets/{ticket['id']}/messages/").json()["count"] == 1


def test_an_agent_who_asks_for_help_sees_no_notes_about_themselves(call, bob, carol, category):
    mine = call(bob, "POST", "/tickets/", {"category": category[1], "subject": "Mine", "message": "Help me."}).json()
    assert note(call, carol, mine, "Bob again.").status_code == 201
    assert call(bob, "GET", f"/tickets/{mine['id']}/notes/").status_code == 404
    assert note(call, bob, mine, "What do they say?").status_code == 404


def test_a_closed_ticket_takes_notes_an_erased_one_does_not(call, world, alice, bob, ticket):
    call(bob, "POST", f"/tickets/{ticket['id']}/close/")
    assert note(call, bob, ticket, "It was the cable.").status_code == 201
    world.erase(alice)
    erasure.erase_pending()
    refused = note(call, bob, ticket, "Who was that?")
    assert (refused.status_code, refused.json()["code"]) == (409, "ticket_erased")
    assert [each["note"] for each in notes(call, bob, ticket)["results"]] == [""]


def test_an_erased_agents_notes_stay_without_their_name(call, world, bob, carol, ticket):
    note(call, bob, ticket, "She was double charged.")
    alias = world.erase(bob)
    erasure.erase_pending()
    assert [(each["sender"], each["note"]) for each in notes(call, carol, ticket)["results"]] == [
        (alias, "She was double charged.")
    ]


def test_writing_at_once_leaves_no_gap_and_one_note_for_a_client_id(call, bob, carol, ticket):
    def write(number):
        try:
            person = (bob, carol)[number % 2]
            return note(call, person, ticket, f"Note {number}", client_id=f"c{number // 4}").json()["note_seq"]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(40)))
    found = notes(call, bob, ticket)
    assert [each["note_seq"] for each in found["results"]] == list(range(1, 21))
    assert found["count"] == Note.objects.filter(ticket=ticket["id"]).count() == 20


@pytest.mark.parametrize("text", [" ", "x" * 4001, "nul \0"], ids=["blank", "long", "control"])
def test_what_is_no_text_is_refused(call, bob, ticket, text):
    refused = note(call, bob, ticket, text)
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["note"])


def test_the_export_holds_the_notes_that_a_person_wrote_and_none_about_them(call, alice, bob, ticket):
    note(call, bob, ticket, "Difficult customer.")
    with psycopg.connect(url("core")) as core:
        held = {
            person.username: core.execute(
                "SELECT kind, record FROM chat_published.held_about(%s)", [person.id]
            ).fetchall()
            for person in (alice, bob)
        }
    assert [record["note"] for kind, record in held[bob.username] if kind == "notes"] == ["Difficult customer."]
    assert "Difficult" not in json.dumps(held[alice.username])
