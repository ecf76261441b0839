"""Finding tickets by words, each person among what they may read."""

from __future__ import annotations

import pytest

from tickets import search


@pytest.fixture
def asked(call, alice, category):
    """A ticket of alice's, about something."""

    def ask(subject, *messages):
        new = {"category": category[1], "subject": subject, "message": messages[0]}
        ticket = call(alice, "POST", "/tickets/", new).json()["id"]
        for message in messages[1:]:
            call(alice, "POST", f"/tickets/{ticket}/messages/", {"message": message})
        return ticket

    return ask


def found(call, person, text, **more):
    query = "&".join(f"{name}={value}" for name, value in {"search": text, **more}.items())
    answer = call(person, "GET", f"/tickets/?{query}")
    assert answer.status_code == 200, answer.content
    return [each["id"] for each in answer.json()["results"]]


def test_words_are_found_whole_or_begun_in_subjects_and_messages(call, alice, bob, asked):
    lathe = asked("The lathe stops", "It smells.", "Of burnt rubber!")
    saw = asked("The saw", "It sings.")
    for person in (alice, bob):
        assert found(call, person, "lathe") == [lathe]
        assert found(call, person, "RUBB") == [lathe]
        assert found(call, person, "the") == [saw, lathe]
        assert found(call, person, "the singing") == []


def test_nobody_finds_what_they_may_not_see(call, world, mallory, asked):
    asked("The lathe stops", "It smells.")
    stranger = world.agent("agent-of-another-category", world.category()[0])
    assert found(call, mallory, "lathe") == found(call, stranger, "lathe") == []


def test_agents_find_notes_and_learners_never(call, alice, bob, asked):
    lathe = asked("The lathe stops", "It smells.")
    call(bob, "POST", f"/tickets/{lathe}/notes/", {"note": "He cheats with warranties."})
    assert found(call, bob, "warranties") == [lathe]
    assert found(call, alice, "warranties") == []


def test_a_search_goes_with_the_other_filters(call, alice, asked, category):
    open_one, closed = asked("Lathe", "It stops."), asked("Lathe", "It turns.")
    call(alice, "POST", f"/tickets/{closed}/close/")
    assert found(call, alice, "lathe", state="closed") == [closed]
    assert found(call, alice, "lathe", category=category[1]) == [closed, open_one]
    assert found(call, alice, "lathe", category="elsewhere") == []


@pytest.mark.parametrize("text", ["'", "\\", "a' | 'b", "!:*", "&", "(", "%00", "@@", "foo_bar", "a:b"])
def test_signs_mean_nothing(call, alice, asked, text):
    asked("Lathe", "It stops.")
    assert call(alice, "GET", f"/tickets/?search={text}").status_code in (200, 422)


def test_a_search_has_its_limits(call, alice):
    for text in ("x" * 101, "+".join("abcdefghi")):
        refused = call(alice, "GET", f"/tickets/?search={text}")
        assert (refused.status_code, list(refused.json()["errors"])) == (422, ["search"])


def test_a_search_that_takes_too_long_is_ended(call, alice, asked, monkeypatch):
    asked("Lathe", "It stops.")
    monkeypatch.setattr(search, "SEARCH", "SELECT pg_sleep(5)")
    monkeypatch.setattr(search, "PATIENCE", 50)
    refused = call(alice, "GET", "/tickets/?search=lathe")
    assert (refused.status_code, "another one" in str(refused.json()["errors"])) == (422, True)
