"""Who gets which ticket."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models.functions import Now
from hypothesis import given
from hypothesis import strategies as st

from tickets import assignment
from tickets.assignment import Agent, choose
from tickets.models import AgentStatus, Assignment, Ticket

CATEGORY = uuid.UUID(int=1)


def agent(number, weight=1, capacity=5, assigned_at=None):
    return Agent(uuid.UUID(int=number), f"agent{number}", CATEGORY, weight, capacity, True, assigned_at)


def test_the_least_loaded_for_their_weight_is_chosen():
    one, two = agent(1), agent(2, weight=2)
    assert choose([one, two], {}) == two
    assert choose([one, two], {two.id: 1}) in (one, two)
    assert choose([one, two], {two.id: 2}) == one
    assert choose([], {}) is None
    assert choose([agent(1, weight=0), agent(2, capacity=0)], {}) is None


def test_equals_take_turns():
    early = datetime(2026, 1, 1, tzinfo=UTC)
    one, two = agent(1, assigned_at=early + timedelta(1)), agent(2, assigned_at=early)
    assert choose([one, two], {}) == two
    assert choose([one, two, agent(3)], {}) == agent(3)  # who never had one comes first


def test_the_previous_agent_is_preferred_while_they_have_room():
    one, two = agent(1), agent(2)
    assert choose([one, two], {two.id: 4}, two.id) == two
    assert choose([one, two], {two.id: 5}, two.id) == one


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=6),
    st.integers(0, 40),
)
def test_nobody_gets_above_their_capacity_and_nothing_waits_while_there_is_room(agents, tickets):
    people = [agent(number, weight, capacity) for number, (weight, capacity) in enumerate(agents)]
    load = {}
    for _ in range(tickets):
        if chosen := choose(people, load):
            load[chosen.id] = load.get(chosen.id, 0) + 1
    assert all(load.get(person.id, 0) <= person.capacity for person in people)
    room = sum(person.capacity for person in people if person.weight)
    assert sum(load.values()) == min(tickets, room)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=5))
def test_the_load_follows_the_weights(weights):
    people = [agent(number, weight, 1000) for number, weight in enumerate(weights)]
    load = {}
    for _ in range(20 * sum(weights)):
        chosen = choose(people, load)
        load[chosen.id] = load.get(chosen.id, 0) + 1
    assert [load[person.id] for person in people] == [20 * weight for weight in weights]


def go(call, user, status="online"):
    answer = call(user, "PUT", "/agents/me/", {"status": status})
    assert answer.status_code == 200, answer.content
    return answer.json()


def open_ticket(call, user, category):
    body = {"category": category[1], "subject": "Help", "message": "Please"}
    return call(user, "POST", "/tickets/", body).json()


def look(call, user, ticket):
    return call(user, "GET", f"/tickets/{ticket['id']}/").json()


def history(ticket):
    return list(Assignment.objects.filter(ticket=ticket["id"]).order_by("id").values_list("reason", flat=True))


def test_a_new_ticket_goes_to_an_agent_who_is_online(call, alice, bob, category):
    go(call, bob)
    ticket = open_ticket(call, alice, category)
    assert (ticket["state"], ticket["assignee"], ticket["assignee_id"]) == ("open", bob.username, str(bob.id))
    assert history(ticket) == ["assigned"]


def test_a_waiting_ticket_is_assigned_when_its_agent_comes_online(call, alice, bob, ticket):
    go(call, bob, "away")
    assert look(call, alice, ticket)["state"] == "queued"
    me = go(call, bob)
    assert (me["status"], me["open_tickets"], me["capacity"]) == ("online", 1, 5)
    assert look(call, alice, ticket)["assignee"] == bob.username


def test_the_oldest_ticket_goes_first_and_a_closed_one_makes_room(call, world, alice, category):
    carol = world.agent("carol", category[0], capacity=1)
    tickets = [open_ticket(call, alice, category) for _ in range(3)]
    go(call, carol)
    assert [look(call, alice, t)["state"] for t in tickets] == ["open", "queued", "queued"]
    call(carol, "POST", f"/tickets/{tickets[0]['id']}/close/")
    assert [look(call, alice, t)["state"] for t in tickets] == ["closed", "open", "queued"]


def test_a_full_category_holds_up_no_other(call, world, alice):
    busy, free = world.category(), world.category()
    carol, dave = world.agent("carol", busy[0], capacity=0), world.agent("dave", free[0])
    for _ in range(3):
        open_ticket(call, alice, busy)
    go(call, carol)
    go(call, dave)
    assert open_ticket(call, alice, free)["assignee"] == dave.username


def test_a_reopened_ticket_goes_back_to_its_agent(call, world, alice, category, bob):
    go(call, bob)
    ticket = open_ticket(call, alice, category)
    carol = world.agent("carol", category[0], weight=9)
    go(call, carol)
    call(alice, "POST", f"/tickets/{ticket['id']}/close/")
    assert call(alice, "POST", f"/tickets/{ticket['id']}/reopen/").json()["assignee"] == bob.username
    assert history(ticket) == ["assigned", "closed", "reopened", "assigned"]


def test_an_agent_does_not_answer_their_own_question(call, bob, category):
    go(call, bob)
    ticket = open_ticket(call, bob, category)
    assert ticket["state"] == "queued"
    assert call(bob, "POST", f"/tickets/{ticket['id']}/claim/").status_code == 403


def test_an_agent_who_is_gone_loses_the_ticket_but_it_keeps_its_waiting_time(call, alice, bob, category):
    go(call, bob)
    ticket = open_ticket(call, alice, category)
    AgentStatus.objects.filter(user_id=bob.id).update(lease_until=Now() - timedelta(seconds=55))
    assignment.assign_waiting()
    assert look(call, alice, ticket)["state"] == "open"  # within the grace
    AgentStatus.objects.filter(user_id=bob.id).update(lease_until=Now() - timedelta(seconds=65))
    assignment.assign_waiting()
    waiting = look(call, alice, ticket)
    assert (waiting["state"], waiting["queued_at"]) == ("queued", ticket["queued_at"])
    go(call, bob)
    assert look(call, alice, ticket)["assignee"] == bob.username
    assert history(ticket) == ["assigned", "released", "assigned"]


def test_an_agent_who_lost_the_category_loses_its_tickets_at_once(call, world, alice, bob, category):
    go(call, bob)
    ticket = open_ticket(call, alice, category)
    world.take_categories(bob)
    assignment.assign_waiting()
    assert look(call, alice, ticket)["state"] == "queued"


def test_claiming_takes_a_waiting_ticket_and_shows_presence(call, world, alice, bob, ticket, category):
    claimed = call(bob, "POST", f"/tickets/{ticket['id']}/claim/")
    assert (claimed.status_code, claimed.json()["assignee"]) == (200, bob.username)
    assert call(bob, "POST", f"/tickets/{ticket['id']}/claim/").json()["assignee"] == bob.username
    assert call(bob, "GET", "/agents/me/").json()["status"] == "away"
    carol = world.agent("carol", category[0])
    refused = call(carol, "POST", f"/tickets/{ticket['id']}/claim/")
    assert (refused.status_code, refused.json()["code"]) == (409, "already_assigned")
    call(alice, "POST", f"/tickets/{ticket['id']}/close/")
    assert call(carol, "POST", f"/tickets/{ticket['id']}/claim/").json()["code"] == "ticket_closed"


def test_a_transfer_to_an_agent_needs_one_who_is_there_and_has_room(call, world, alice, bob, ticket, category):
    carol = world.agent("carol", category[0], capacity=1)
    outsider = world.agent("dave", world.category()[0])
    path = f"/tickets/{ticket['id']}/transfer/"
    assert call(bob, "POST", path, {"agent": str(carol.id)}).json()["code"] == "agent_absent"
    assert "agent" in call(bob, "POST", path, {"agent": str(outsider.id)}).json()["errors"]
    assert "agent" in call(bob, "POST", path, {"agent": str(alice.id)}).json()["errors"]
    assert call(bob, "POST", path, {}).status_code == 422
    assert call(bob, "POST", path, {"agent": str(carol.id), "category": category[1]}).status_code == 422
    assert call(bob, "POST", path, {"category": "none"}).json()["errors"]["category"]
    call(bob, "POST", f"/tickets/{ticket['id']}/claim/")
    go(call, carol)
    assert call(bob, "POST", path, {"agent": str(carol.id)}).json()["assignee"] == carol.username
    second = open_ticket(call, alice, category)
    refused = call(bob, "POST", f"/tickets/{second['id']}/transfer/", {"agent": str(carol.id)})
    assert (refused.status_code, refused.json()["code"]) == (409, "at_capacity")
    assert history(ticket) == ["claimed", "transferred"]


def test_leads_see_who_is_there(call, world, bob, category):
    lead = world.agent("erin", category[0], lead=True)
    go(call, bob)
    agents = {a["username"]: a for a in call(lead, "GET", "/agents/?limit=200").json()["results"]}
    assert agents[bob.username]["status"] == "online"
    assert agents[lead.username]["status"] == "offline"
    assert agents[bob.username]["categories"] == [category[1]]


def test_a_hundred_tickets_at_once_leave_nobody_above_capacity(call, world, category):
    agents = [world.agent("busy", category[0], capacity=capacity) for capacity in (1, 3, 7, 20)]
    for person in agents:
        go(call, person)
    learners = [world.user("learner") for _ in range(100)]

    def ask(user):
        try:
            return open_ticket(call, user, category)["id"]
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as threads:
        tickets = list(threads.map(ask, learners))
    held = Ticket.objects.filter(pk__in=tickets, state="open").values_list("assignee_id", flat=True)
    assert [list(held).count(person.id) for person in agents] == [1, 3, 7, 20]


def test_claims_at_once_leave_nobody_above_capacity(call, world, alice, category):
    carol = world.agent("carol", category[0], capacity=3)
    tickets = [open_ticket(call, alice, category) for _ in range(10)]

    def claim(ticket):
        try:
            return call(carol, "POST", f"/tickets/{ticket['id']}/claim/").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as threads:
        assert sorted(threads.map(claim, tickets)) == [200] * 3 + [409] * 7
