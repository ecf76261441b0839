"""What an agent sees and says after having been away: of tickets that changed meanwhile, and of what was written offline."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from e2e.people import Person
from playwright.sync_api import Route, expect

from browser.agents import AgentAtDesk
from browser.learners import App
from browser.test_desk import subject

AtDesk = Callable[..., AgentAtDesk]
Ask = Callable[..., App]


@pytest.fixture
def lea(base_url: str, accounts: dict[str, dict[str, str]]) -> Iterator[Person]:
    """The support lead, without a desk; tickets that come are not hers."""
    person = Person(base_url, accounts["lead"]["username"], accounts["lead"]["password"])
    person.log_in()
    yield person
    person.close()


# Each frame that the page sends takes 60 ms on its way, one after the other.
SLOWLY = """(() => {
    const send = WebSocket.prototype.send;
    let free = 0;
    WebSocket.prototype.send = function (data) {
        free = Math.max(free, Date.now()) + 60;
        setTimeout(() => this.readyState === WebSocket.OPEN && send.call(this, data), free - Date.now());
    };
})()"""

NOTHING_KEPT = "(ticket) => Object.keys(sessionStorage).every((name) => !name.endsWith(ticket))"


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
    her_id = lea.put("/chat/v1/agents/me/", {"status": "online"}, expect=200).json()["id"]
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
    lea.put("/chat/v1/agents/me/", {"status": "away"}, expect=200)  # which is told to every desk
    app(subject("Something else"))
    expect(arne.tickets("Waiting")).to_have_count(1)
    expect(arne.page.locator("#desk-about")).to_contain_text("closed")


def test_what_was_written_offline_goes_in_its_order_however_much_it_is(at_desk: AtDesk, lena: Person, app: Ask) -> None:
    """More than the server takes at once (limits.py), over a line on which each frame takes its time."""
    arne, title = at_desk("agent"), subject("Forty answers")
    asked = app(title)
    arne.page.add_init_script(SLOWLY)
    arne.sit_down()
    arne.open(title)
    go_offline(arne)
    said = [f"Line {number}" for number in range(40)]
    for text in said:
        arne.say(text)
    arne.context.set_offline(False)
    expect(arne.page.locator("#desk-messages .pending")).to_have_count(0, timeout=60_000)
    found = lena.get(f"/chat/v1/tickets/{asked.ticket['id']}/messages/").json()["results"]
    assert [message["message"] for message in found[1:]] == said


def test_a_ticket_that_is_gone_keeps_nothing_else_from_being_sent(at_desk: AtDesk, app: Ask) -> None:
    arne = at_desk("agent")
    arne.sit_down()
    gone, stays = app(subject("Elsewhere")), app(subject("Here"))
    for asked in (stays, gone):
        arne.open(asked.ticket["subject"])
    page = arne.page
    go_offline(arne)
    page.route("**/connect-tickets/", lambda route: route.abort())
    arne.context.set_offline(False)
    for asked in (stays, gone):
        page.get_by_role("region", name="Tickets").get_by_role("button", name=asked.ticket["subject"]).click()
        arne.say("One moment.")
    page.unroute("**/connect-tickets/")
    page.route(f"**/chat/v1/tickets/{gone.ticket['id']}/", lambda route: not_found(route))
    page.route("**/connect-tickets/", lambda route: not_found(route, gone.ticket["id"]))
    page.reload()
    expect(page.locator("#desk-told")).to_contain_text("What you wrote there is not sent.")
    page.wait_for_function(NOTHING_KEPT, arg=stays.ticket["id"])
    stays.until("message", message="One moment.")
    # Of one that he still has before him he is told, and gets back what he wrote.
    page.unroute(f"**/chat/v1/tickets/{gone.ticket['id']}/")
    page.get_by_role("region", name="Tickets").get_by_role("button", name=gone.ticket["subject"]).click()
    expect(page.locator("#desk-warning")).to_have_text("This ticket is not of your categories any more.")
    expect(page.locator("#desk-messages .refused")).to_contain_text(
        "Not sent: This ticket is not of your categories any more."
    )
    page.get_by_role("button", name="Write it anew").click()
    page.keyboard.press("Enter")
    expect(page.locator("#desk-messages .refused")).to_contain_text("One moment.")
    arne.complaints[:] = [each for each in arne.complaints if "ERR_FAILED" not in each]


def not_found(route: Route, ticket: str = "") -> None:
    if ticket in (route.request.post_data or ""):
        route.fulfill(status=404, json={"code": "not_found", "detail": "There is nothing here."})
    else:
        route.continue_()


def test_nobodys_words_go_in_somebody_elses_name(
    at_desk: AtDesk, accounts: dict[str, dict[str, str]], lena: Person, app: Ask
) -> None:
    """Lea logs in where Arne's desk is still open; the browser takes its time to load the page anew."""
    arne, title = at_desk("agent"), subject("Whose words")
    asked = app(title)
    arne.sit_down()
    arne.open(title)
    other = arne.new_page()
    other.goto("/admin/")
    other.get_by_role("button", name="Log out").click()
    expect(arne.page.locator("#desk-connection")).to_contain_text("You are logged out")
    arne.say("My own words")
    arne.page.route("**/admin/support/", lambda route: None)
    arne.account, arne.username = accounts["lead"], "demo-lead"
    with arne.page.expect_request("**/admin/support/", timeout=30_000):
        arne.log_in(other)
        arne.page.bring_to_front()
    with arne.page.expect_request("**/admin/support/", timeout=30_000):
        pass  # the next attempt: what the first one led to has happened
    sent = lena.get(f"/chat/v1/tickets/{asked.ticket['id']}/messages/").json()["results"]
    assert [message["message"] for message in sent] == ["Can you help me?"]
