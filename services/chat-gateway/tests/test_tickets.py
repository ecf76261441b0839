"""Tickets over REST, by the people who have to do with them."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tickets.models import Message, Ticket


def new_ticket(category, **more):
    return {"category": category[1], "subject": "Help", "message": "It is dark.", **more}


def test_alice_opens_a_ticket_with_her_first_message(call, alice, category):
    answer = call(alice, "POST", "/tickets/", new_ticket(category))
    assert answer.status_code == 201
    ticket = answer.json()
    assert (ticket["state"], ticket["assignee"], ticket["head_seq"]) == ("queued", None, 1)
    assert (ticket["category"], ticket["learner"]) == (category[1], alice.username)
    assert ticket["created_at"].endswith("Z")
    messages = call(alice, "GET", f"/tickets/{ticket['id']}/messages/").json()
    assert messages["count"] == 1
    assert messages["results"][0] | {"id": 0, "timestamp": 0} == {
        "seq": 1,
        "id": 0,
        "client_id": None,
        "message": "It is dark.",
        "sender": alice.username,
        "timestamp": 0,
    }


def test_the_categories_are_those_that_core_publishes(call, alice, category):
    listed = call(alice, "GET", "/categories/").json()
    assert {"id": str(category[0]), "name": "Billing", "slug": category[1]} in listed


def test_a_repeated_request_opens_no_second_ticket(call, alice, category):
    def ask(_):
        try:
            return call(alice, "POST", "/tickets/", new_ticket(category, client_id="one")).json()["id"]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(ask, range(20)))) == 1
    assert Ticket.objects.filter(learner_id=alice.id).count() == 1
    assert Message.objects.filter(sender_id=alice.id).count() == 1


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("category", "no-such", "no such category"),
        ("subject", " ", "blank"),
        ("subject", "two\nlines", "Control characters"),
        ("message", "", "blank"),
        ("message", "x" * 4001, "4000"),
        ("message", "nul \0", "not allowed"),
        ("message", "half \ud83d", "not allowed"),
        ("message", "\x1b[31m", "Control characters"),
        ("lesson", "nonsense", "UUID"),
        ("lesson", str(uuid.uuid4()), "no such lesson"),
        ("order", str(uuid.uuid4()), "no such order"),
        ("client_id", "é", "printable ASCII"),
    ],
)
def test_bad_fields_are_named(call, alice, category, field, value, says):
    answer = call(alice, "POST", "/tickets/", new_ticket(category) | {field: value})
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid"
    assert says.lower() in answer.json()["errors"][field][0].lower()
    assert not Ticket.objects.filter(learner_id=alice.id).exists()


def test_a_ticket_may_be_about_a_lesson_and_an_order_of_ones_own(call, world, alice, mallory, category):
    lesson, order = world.lesson(), world.order(alice)
    about = new_ticket(category, lesson=str(lesson), order=str(order))
    assert call(alice, "POST", "/tickets/", about).json()["order"] == str(order)
    refused = call(mallory, "POST", "/tickets/", about)
    assert refused.json()["errors"] == {"order": ["You have no such order."]}


def test_a_foreign_and_an_unknown_ticket_are_404_alike(call, mallory, bob, ticket, world):
    elsewhere = world.agent("carol", world.category()[0])
    for path in ["", "messages/", "read/", "close/", "reopen/"]:
        method = "GET" if path in {"", "messages/"} else "POST"
        body = {"seq": 1} if path == "read/" else None
        foreign = call(mallory, method, f"/tickets/{ticket['id']}/{path}", body)
        unknown = call(mallory, method, f"/tickets/{uuid.uuid4()}/{path}", body)
        assert (foreign.status_code, foreign.json()) == (404, unknown.json())
        assert call(elsewhere, method, f"/tickets/{ticket['id']}/{path}", body).status_code == 404
    assert call(mallory, "POST", f"/tickets/{ticket['id']}/messages/", {"message": "Hi"}).status_code == 404
    assert call(mallory, "POST", "/connect-tickets/", {"ticket": ticket["id"]}).status_code == 404
    assert call(bob, "GET", f"/tickets/{ticket['id']}/").status_code == 200


def test_each_sees_the_tickets_that_are_theirs(call, alice, mallory, bob, ticket):
    assert [t["id"] for t in call(alice, "GET", "/tickets/").json()["results"]] == [ticket["id"]]
    assert call(mallory, "GET", "/tickets/").json() == {"count": 0, "next": None, "previous": None, "results": []}
    assert call(bob, "GET", "/tickets/?assigned=none&state=queued").json()["count"] == 1
    assert call(bob, "GET", "/tickets/?assigned=me").json()["count"] == 0
    assert call(bob, "GET", "/tickets/?state=lost").status_code == 422


def test_pages_link_to_the_public_address(call, alice, category, ticket):
    call(alice, "POST", "/tickets/", new_ticket(category))
    page = call(alice, "GET", "/tickets/?limit=1").json()
    assert page["count"] == 2
    assert page["next"] == "http://learn.example/chat/v1/tickets/?limit=1&offset=1"
    rest = call(alice, "GET", page["next"].removeprefix("http://learn.example")).json()
    assert [t["id"] for t in rest["results"]] == [ticket["id"]]


def test_messages_come_in_pages_after_a_seq(call, alice, bob, ticket):
    path = f"/tickets/{ticket['id']}/messages/"
    for number in range(2, 6):
        assert call(bob, "POST", path, {"message": f"m{number}"}).json()["seq"] == number
    page = call(alice, "GET", f"{path}?after=1&limit=2").json()
    assert [m["seq"] for m in page["results"]] == [2, 3]
    assert (page["count"], page["previous"]) == (5, None)
    page = call(alice, "GET", page["next"].removeprefix("http://learn.example")).json()
    assert ([m["message"] for m in page["results"]], page["next"]) == (["m4", "m5"], None)
    assert call(alice, "GET", f"{path}?after=-1").status_code == 422


def test_a_closed_ticket_takes_no_message_until_it_is_reopened(call, alice, bob, ticket):
    path = f"/tickets/{ticket['id']}"
    first = call(alice, "POST", f"{path}/messages/", {"message": "Hello?", "client_id": "a"}).json()
    closed = call(alice, "POST", f"{path}/close/").json()
    assert (closed["state"], call(alice, "POST", f"{path}/close/").json()) == ("closed", closed)
    refused = call(bob, "POST", f"{path}/messages/", {"message": "Here I am"})
    assert (refused.status_code, refused.json()["code"]) == (409, "ticket_closed")
    again = call(alice, "POST", f"{path}/messages/", {"message": "Hello?", "client_id": "a"})
    assert again.json() == first  # it was kept before the ticket was closed
    assert call(alice, "POST", f"{path}/reopen/").json()["state"] == "queued"
    assert call(bob, "POST", f"{path}/messages/", {"message": "Here I am"}).json()["seq"] == 3


def test_reading_moves_ones_own_mark_forward_only(call, alice, bob, ticket):
    path = f"/tickets/{ticket['id']}"
    call(bob, "POST", f"{path}/messages/", {"message": "Light it."})
    assert call(alice, "POST", f"{path}/read/", {"seq": 2}).json()["read_seq"] == 2
    assert call(alice, "POST", f"{path}/read/", {"seq": 1}).json()["read_seq"] == 2
    assert call(bob, "GET", f"{path}/").json()["read_seq"] == 0
    assert call(alice, "POST", f"{path}/read/", {"seq": 3}).json()["errors"]["seq"]


def test_a_hundred_twins_of_a_message_are_one_row_and_one_answer(call, alice, ticket):
    def send(_):
        try:
            return call(alice, "POST", f"/tickets/{ticket['id']}/messages/", {"message": "m", "client_id": "x"}).json()
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(send, range(100)))
    assert {answer["seq"] for answer in answers} == {2}
    assert all(answer == answers[0] for answer in answers)
    assert Ticket.objects.get(pk=ticket["id"]).head_seq == 2


def test_fifty_writers_leave_no_gap(call, alice, bob, ticket):
    def send(number):
        try:
            who = alice if number % 2 else bob
            return call(who, "POST", f"/tickets/{ticket['id']}/messages/", {"message": f"m{number}"}).json()["seq"]
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as threads:
        assert sorted(threads.map(send, range(50))) == list(range(2, 52))
    kept = Message.objects.filter(ticket=ticket["id"]).order_by("seq").values_list("seq", flat=True)
    assert list(kept) == list(range(1, 52))


def test_the_runtime_role_owns_nothing(database):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, count(*) FROM pg_tables WHERE tableowner = current_user")
        assert cursor.fetchone() == ("lectern_chat", 0)
