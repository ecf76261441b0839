"""Tags by agents, ratings by learners."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tickets import erasure
from tickets.models import Ticket


def tag(call, person, ticket, *tags):
    return call(person, "PUT", f"/tickets/{ticket['id']}/tags/", {"tags": tags})


def rate(call, person, ticket, score, **more):
    return call(person, "POST", f"/tickets/{ticket['id']}/rate/", {"score": score, **more})


def close(call, person, ticket):
    assert call(person, "POST", f"/tickets/{ticket['id']}/close/").status_code == 200


def test_agents_tag_a_ticket_and_find_it_by_its_tags(call, bob, ticket):
    answer = tag(call, bob, ticket, "Double  Charge", "refund", "double-charge")
    assert (answer.status_code, answer.json()["tags"]) == (200, ["double-charge", "refund"])
    assert ticket["id"] in [each["id"] for each in call(bob, "GET", "/tickets/?tag=Refund").json()["results"]]
    assert tag(call, bob, ticket, "solved").json()["tags"] == ["solved"]
    assert call(bob, "GET", "/tickets/?tag=refund").json()["count"] == 0


def test_tags_are_added_and_removed_beside_what_others_do(call, bob, ticket):
    tag(call, bob, ticket, "refund", "old")
    address = f"/tickets/{ticket['id']}/tags/"
    assert call(bob, "PATCH", address, {"add": ["Double Charge", "refund"]}).json()["tags"] == [
        "refund",
        "old",
        "double-charge",
    ]
    answer = call(bob, "PATCH", address, {"add": ["new"], "remove": ["OLD", "never there"]})
    assert (answer.status_code, answer.json()["tags"]) == (200, ["refund", "double-charge", "new"])
    assert call(bob, "PATCH", address, {}).json()["tags"] == ["refund", "double-charge", "new"]


def test_an_eleventh_tag_is_refused_with_what_to_do(call, bob, ticket):
    tag(call, bob, ticket, *"abcdefghij")
    address = f"/tickets/{ticket['id']}/tags/"
    refused = call(bob, "PATCH", address, {"add": ["k"]})
    assert (refused.status_code, refused.json()["errors"]) == (
        422,
        {"add": ["A ticket has 10 tags at most. Remove one first."]},
    )
    assert call(bob, "PATCH", address, {"add": ["k"], "remove": ["a"]}).json()["tags"] == list("bcdefghijk")


def test_tags_added_at_once_are_all_there(call, bob, ticket):
    def add(word):
        try:
            return call(bob, "PATCH", f"/tickets/{ticket['id']}/tags/", {"add": [word]}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(add, "abcdefgh")) == {200}
    assert sorted(Ticket.objects.get(pk=ticket["id"]).tags) == list("abcdefgh")


def test_the_learner_neither_sees_nor_finds_tags(call, alice, bob, ticket):
    tag(call, bob, ticket, "difficult")
    assert call(alice, "GET", f"/tickets/{ticket['id']}/").json()["tags"] == []
    assert call(alice, "GET", "/tickets/?tag=difficult").json()["count"] == 0
    assert tag(call, alice, ticket, "vip").status_code == 403


def test_an_agent_tags_no_question_of_their_own(call, bob, category):
    mine = call(bob, "POST", "/tickets/", {"category": category[1], "subject": "Mine", "message": "Help me."}).json()
    assert tag(call, bob, mine, "urgent").status_code == 404


@pytest.mark.parametrize("tags", [["a"] * 11, ["x" * 41], [" "], ["a/b"], "refund"])
def test_tags_that_are_none_are_refused(call, bob, ticket, tags):
    refused = call(bob, "PUT", f"/tickets/{ticket['id']}/tags/", {"tags": tags})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")


def test_a_learner_rates_the_agent_who_had_the_ticket_and_may_think_again(call, alice, bob, ticket):
    call(bob, "POST", f"/tickets/{ticket['id']}/claim/")
    refused = rate(call, alice, ticket, 5)
    assert (refused.status_code, refused.json()["code"]) == (409, "ticket_not_closed")
    close(call, bob, ticket)
    assert rate(call, alice, ticket, 2, comment="Slow.").json()["rating"] | {"rated_at": 0} == {
        "score": 2,
        "comment": "Slow.",
        "rated_at": 0,
    }
    rate(call, alice, ticket, 4)
    shown = call(bob, "GET", f"/tickets/{ticket['id']}/").json()["rating"]
    assert (shown["score"], shown["comment"]) == (4, "")
    assert Ticket.objects.get(pk=ticket["id"]).rated_agent_id == bob.id


def test_nobody_else_rates(call, alice, bob, ticket):
    close(call, alice, ticket)
    assert rate(call, bob, ticket, 5).status_code == 404
    assert Ticket.objects.get(pk=ticket["id"]).rating is None


@pytest.mark.parametrize("wrong", [{"score": 0}, {"score": 6}, {}, {"score": 3, "comment": "x" * 1001}])
def test_a_rating_that_is_none_is_refused(call, alice, ticket, wrong):
    close(call, alice, ticket)
    refused = call(alice, "POST", f"/tickets/{ticket['id']}/rate/", wrong)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")


def test_erasure_leaves_the_score_and_takes_the_words(call, world, alice, bob, ticket):
    tag(call, bob, ticket, "alices-illness")
    close(call, alice, ticket)
    rate(call, alice, ticket, 1, comment="My illness was no help.")
    world.erase(alice)
    erasure.erase_pending()
    kept = Ticket.objects.get(pk=ticket["id"])
    assert (kept.rating, kept.rating_comment, kept.tags) == (1, "", [])
    refused = tag(call, bob, ticket, "again")
    assert (refused.status_code, refused.json()["code"]) == (409, "ticket_erased")
