"""Who gets which ticket."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
from django.db import connection
from django.db.models import Count
from django.db.models.functions import Now

from tests.conftest import DATABASE, POSTGRES, url
from tests.server import wait_for
from tickets import actions, assignment, people
from tickets.models import AgentStatus, Assignment, Presence, Ticket


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


def test_an_agent_neither_answers_nor_prefers_their_own_question(call, world, bob, category):
    go(call, bob)
    ticket = open_ticket(call, bob, category)
    carol = world.agent("carol", category[0])
    go(call, carol, status="away")
    assert ticket["state"] == "queued"
    for act, body in (("claim", None), ("priority", {"priority": "urgent"}), ("transfer", {"agent": str(carol.id)})):
        assert call(bob, "POST", f"/tickets/{ticket['id']}/{act}/", body).status_code == 403
    assert look(call, bob, ticket)["priority"] == "normal"


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


def test_claiming_does_not_bring_back_who_was_online_days_ago(call, alice, bob, ticket, category):
    AgentStatus.objects.create(user_id=bob.id, status="online", lease_until=Now() - timedelta(days=3))
    other = open_ticket(call, alice, category)
    assert call(bob, "POST", f"/tickets/{ticket['id']}/claim/").json()["assignee"] == bob.username
    assignment.assign_waiting()
    assert look(call, alice, other)["state"] == "queued"  # it would wait for two minutes at a desk where nobody sits
    me = call(bob, "GET", "/agents/me/").json()
    assert (me["status"], me["open_tickets"]) == ("away", 1)


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


def test_a_lead_may_exceed_capacity_and_is_named_for_it(call, world, alice, category):
    erin = world.agent("erin", category[0], capacity=1, lead=True)
    carol = world.agent("carol", category[0], capacity=1)
    go(call, erin)
    go(call, carol)
    first, second, third, fourth = (open_ticket(call, alice, category) for _ in range(4))
    assert {first["assignee"], second["assignee"]} == {erin.username, carol.username}
    assert call(carol, "POST", f"/tickets/{third['id']}/claim/").json()["code"] == "at_capacity"
    assert call(erin, "POST", f"/tickets/{third['id']}/claim/").json()["assignee"] == erin.username
    moved = call(erin, "POST", f"/tickets/{fourth['id']}/transfer/", {"agent": str(carol.id)})
    assert moved.json()["assignee"] == carol.username
    (entry,) = call(erin, "GET", f"/tickets/{fourth['id']}/assignments/").json()["results"]
    assert (entry["reason"], entry["agent"], entry["actor"]) == ("transferred", carol.username, erin.username)
    assert entry["over_capacity"] is True
    assert call(carol, "GET", f"/tickets/{fourth['id']}/assignments/").status_code == 403


def test_a_lead_reads_who_had_a_ticket_and_by_whose_hand(call, world, alice, bob, ticket, category):
    erin = world.agent("erin", category[0], lead=True)
    call(bob, "POST", f"/tickets/{ticket['id']}/claim/")
    call(bob, "POST", f"/tickets/{ticket['id']}/priority/", {"priority": "urgent"})
    call(alice, "POST", f"/tickets/{ticket['id']}/close/")
    entries = call(erin, "GET", f"/tickets/{ticket['id']}/assignments/").json()["results"]
    assert [(e["reason"], e["agent"], e["actor"], e["over_capacity"]) for e in entries] == [
        ("closed", None, alice.username, False),
        ("prioritised", bob.username, bob.username, False),
        ("claimed", bob.username, bob.username, False),
    ]


def test_an_urgent_category_goes_first_and_an_agent_may_say_otherwise(call, world, alice):
    calm, urgent = world.category(), world.category(priority=3)
    carol = world.agent("carol", calm[0], urgent[0], capacity=1)
    early, late = open_ticket(call, alice, calm), open_ticket(call, alice, urgent)
    assert (early["priority"], late["priority"]) == ("normal", "urgent")
    answer = call(carol, "POST", f"/tickets/{late['id']}/priority/", {"priority": "low"})
    assert (answer.status_code, answer.json()["priority"]) == (200, "low")
    call(carol, "POST", f"/tickets/{early['id']}/priority/", {"priority": "low"})
    call(carol, "POST", f"/tickets/{late['id']}/priority/", {"priority": "high"})
    go(call, carol)
    assert [look(call, alice, each)["state"] for each in (early, late)] == ["queued", "open"]
    assert call(carol, "POST", f"/tickets/{late['id']}/priority/", {"priority": "top"}).status_code == 422
    assert call(alice, "POST", f"/tickets/{late['id']}/priority/", {"priority": "low"}).status_code == 403


def test_an_agent_who_is_revoked_while_they_are_given_a_ticket_does_not_keep_it(call, world, alice, bob, category):
    go(call, bob)
    AgentStatus.objects.filter(user_id=bob.id).update(lease_until=Now() + timedelta(seconds=50))
    with psycopg.connect(url("chat")) as holding:
        holding.execute("SELECT FROM chat.agent_status WHERE user_id = %s FOR UPDATE", [bob.id])
        with ThreadPoolExecutor(1) as thread:
            giving = thread.submit(in_a_thread, open_ticket, call, alice, category)  # waits, with bob chosen
            wait_for(is_somebody_waiting_for_a_row)
            world.take_categories(bob)
            holding.rollback()
            ticket = giving.result()
    assignment.assign_waiting()  # which the notification wakes
    assert look(call, alice, ticket)["state"] == "queued"
    assert history(ticket) == ["assigned", "released"]


def test_who_dies_while_giving_a_ticket_leaves_it_to_the_next(call, alice, bob, category):
    go(call, bob)
    with psycopg.connect(url("chat")) as holding, psycopg.connect(POSTGRES, autocommit=True) as admin:
        holding.execute("SELECT FROM chat.agent_status WHERE user_id = %s FOR UPDATE", [bob.id])
        with ThreadPoolExecutor(1) as thread:
            giving = thread.submit(in_a_thread, open_ticket, call, alice, category)
            wait_for(is_somebody_waiting_for_a_row)
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND wait_event_type = 'Lock' AND query LIKE '%%chat.assignment%%'",
                [DATABASE],
            )
            ticket = giving.result()
    assert ticket["state"] == "queued"  # and kept, whatever became of giving it
    assignment.assign_waiting()
    assert look(call, alice, ticket)["assignee"] == bob.username
    assert history(ticket) == ["assigned"]


def in_a_thread(work, *arguments):
    try:
        return work(*arguments)
    finally:
        connection.close()


def is_somebody_waiting_for_a_row():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%chat.assignment%%'"
        )
        return cursor.fetchone() is not None


def test_leads_see_who_is_there(call, world, bob, category):
    lead = world.agent("erin", category[0], lead=True)
    go(call, bob)
    agents = {a["username"]: a for a in call(lead, "GET", "/agents/?limit=200").json()["results"]}
    assert agents[bob.username]["status"] == "online"
    assert agents[lead.username]["status"] == "offline"
    assert agents[bob.username]["categories"] == [category[1]]


def someone(user):
    return people.find(people.Claims(user.id, user.username, 0, user.session, 0))


def test_five_hundred_tickets_at_once_leave_nobody_above_capacity(call, world, category):
    """While agents come, go and close: whenever somebody looks, nobody has more than they may."""
    agents = [world.agent("busy", category[0], capacity=capacity) for capacity in (1, 3, 7, 20)]
    for person in agents:
        go(call, person)
    learner, new = someone(world.user("learner")), actions.NewTicket(category[1], "Help", "Please")

    def ask(number):
        try:
            ticket = actions.create_ticket(learner, new)
            if number % 10 == 0:
                actions.close_ticket(learner, ticket.id)
            if number % 25 == 0:
                status = Presence.AWAY if number % 50 else Presence.ONLINE
                actions.set_status(someone(agents[number % 4]), status)
            return held()
        finally:
            connection.close()

    def held():
        load = Ticket.objects.filter(state="open", category_id=category[0]).values_list("assignee_id")
        return dict(load.annotate(count=Count("pk")))

    with ThreadPoolExecutor(8) as threads:  # as many as there are connections
        seen = list(threads.map(ask, range(500)))
    for person, capacity in zip(agents, (1, 3, 7, 20), strict=True):
        assert max(counts.get(person.id, 0) for counts in seen) <= capacity
        go(call, person)
    assert [held()[person.id] for person in agents] == [1, 3, 7, 20]


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
