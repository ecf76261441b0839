"""What an agent proposes out of a ticket goes to core, with the ticket's own learner."""

from __future__ import annotations

import uuid

import pytest

from tests.test_tickets import new_ticket

LINE = str(uuid.uuid4())
REFUND = {"kind": "refund", "order_line": LINE, "reason": "The video does not play"}


@pytest.fixture
def ticket(call, alice, category):
    return call(alice, "POST", "/tickets/", new_ticket(category)).json()["id"]


@pytest.fixture
def agent(world, category):
    return world.agent("agnes-who-proposes", category[0])


def proposed(world):
    return world.connection.execute("SELECT * FROM core.proposal ORDER BY ctid DESC LIMIT 1").fetchone()


def test_a_proposal_names_the_ticket_its_learner_and_the_agent(call, world, alice, agent, ticket):
    answer = call(agent, "POST", f"/tickets/{ticket}/proposals/", REFUND | {"kind": "extension", "days": 7})
    assert (answer.status_code, answer.json()) == (201, {"approval": "00000000-0000-0000-0000-00000000ab1e"})
    assert proposed(world) == (
        *(uuid.UUID(ticket), agent.id, alice.id, "extension", uuid.UUID(LINE), 7),
        "The video does not play",
    )


def test_the_tickets_agents_see_what_was_proposed(call, world, alice, agent, category, ticket):
    call(agent, "POST", f"/tickets/{ticket}/proposals/", REFUND)
    colleague = world.agent("carol", category[0])
    (shown,) = call(colleague, "GET", f"/tickets/{ticket}/proposals/").json()
    assert (shown["kind"], shown["state"], shown["reason"], shown["proposed_by"]) == (
        *("refund", "pending", "The video does not play"),
        str(agent.id),
    )
    assert call(alice, "GET", f"/tickets/{ticket}/proposals/").status_code == 403


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        ("403", 403, "permission_denied"),
        ("404", 422, "invalid"),
        ("409", 409, "nothing_to_propose"),
        ("410", 409, "approval_pending"),
    ],
)
def test_what_core_refuses_is_told(call, agent, ticket, line, status, code):
    refused = REFUND | {"order_line": f"00000000-0000-0000-0000-000000000{line}"}
    answer = call(agent, "POST", f"/tickets/{ticket}/proposals/", refused)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "gift"}, {"days": 7}, {"kind": "extension"}, {"reason": " "}, {"order_line": "knots"}],
    ids=["kind", "refund-with-days", "extension-without", "no-reason", "no-line"],
)
def test_a_malformed_one_is_refused(call, agent, ticket, wrong):
    answer = call(agent, "POST", f"/tickets/{ticket}/proposals/", REFUND | wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_nobody_else_proposes(call, world, alice, ticket):
    stranger = world.agent("agent-of-another-category", world.category()[0])
    assert call(alice, "POST", f"/tickets/{ticket}/proposals/", REFUND).status_code == 403
    assert call(stranger, "POST", f"/tickets/{ticket}/proposals/", REFUND).status_code == 404
