"""What an agent sees and says after having been away: of tickets that changed meanwhile, and of what was written offline."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from e2e.people import Person
from playwright.sync_api import expect

from browser.agents import AgentAtDesk
from browser.learners import App
from browser.test_desk import subject

AtDesk = Callable[..., AgentAtDesk]
Ask = Callable[..., App]


@pytest.fixture
def lea(base_url: str, accounts: dict[str, dict[str, str]]) -> Iterator[Person]:
    """The support lead, online, without a desk."""
    person = Person(base_url, accounts["lead"]["username"], accounts["lead"]["password"])
    person.log_in()
    person.put("/chat/v1/agents/me/", {"status": "online"}, expect=200)
    yield person
    person.close()


def go_offline(agent: AgentAtDesk) -> None:
    agent.context.set_offline(True)
    expect(agent.page.locator("#desk-connection")).to_contain_text("Not connected")


def test_nobody_answers_blind_after_a_lost_connection(at_desk: AtDesk, lea: Person, app: Ask) -> None:
    arne, title = at_desk("agent"), subject("Who has it")
    arne.sit_down()
    asked = app(title)
    arne.open(title)
    expect(arne.page.locator("#desk-about")).to_contain_text("open, with you")
    go_offline(arne)
    her_id = lea.get("/chat/v1/agents/me/").json()["id"]
    lea.post(f"/chat/v1/tickets/{asked.ticket['id']}/transfer/", {"agent": her_id}, expect=200)
    arne.context.set_offline(False)
    arne.expect_connected()
    expect(arne.page.locator("#desk-warning")).to_contain_text("demo-lead answers this ticket")


def test_a_ticket_that_was_found_is_shown_as_it_is_now(at_desk: AtDesk, lena: Person, lea: Person, app: Ask) -> None:
    arne, title = at_desk("agent"), subject("Found")
    arne.sit_down("away")
    ticket = f"/chat/v1/tickets/{app(title).ticket['id']}"
    lena.post(f"{ticket}/close/", expect=200)
    arne.page.get_by_label("Search in tickets").fill(title)
    expect(arne.tickets("Found")).to_have_count(1)
    lena.post(f"{ticket}/reopen/", expect=200)
    lea.post(f"{ticket}/claim/", expect=200)
    arne.tickets("Found").click()
    expect(arne.page.locator("#desk-warning")).to_contain_text("demo-lead answers this ticket")
    # What he does to it is no later word than what others do.
    arne.page.get_by_label("New tag").fill("player")
    arne.page.keyboard.press("Enter")
    expect(arne.page.locator("#desk-tags")).to_contain_text("player")
    lea.post(f"{ticket}/close/", expect=200)
    expect(arne.page.locator("#desk-about")).to_contain_text("closed")
    lea.put("/chat/v1/agents/me/", {"status": "offline"}, expect=200)  # which is told to every desk
    app(subject("Something else"))
    expect(arne.tickets("Waiting")).to_have_count(1)
    expect(arne.page.locator("#desk-about")).to_contain_text("closed")
