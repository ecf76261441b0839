"""The focus of an agent who works by keyboard: it is never thrown back to the page's begin by what happens around it."""

from __future__ import annotations

from collections.abc import Callable

from e2e.people import Person
from playwright.sync_api import expect

from browser.agents import AgentAtDesk
from browser.learners import App
from browser.test_desk import go_to, subject

AtDesk = Callable[..., AgentAtDesk]
Ask = Callable[..., App]
# How far below the upper edge of the conversation the message with that text stands.
STANDS_AT = """(text) => {
    const message = [...document.querySelectorAll("#desk-messages .text")].find((each) => each.textContent === text);
    return message.getBoundingClientRect().top - document.getElementById("desk-scroller").getBoundingClientRect().top;
}"""


def test_a_ticket_that_moves_in_the_list_keeps_the_focus(at_desk: AtDesk, lena: Person, app: Ask) -> None:
    arne = at_desk("agent")
    arne.sit_down()
    first, second = app(subject("First")), app(subject("Second"))
    mine = arne.tickets("My tickets")
    for asked in (second, first):
        arne.open(asked.ticket["subject"])
        expect(mine.filter(has_text=asked.ticket["subject"])).not_to_contain_text("unread")
    keys = arne.page.keyboard
    keys.press("Alt+1")
    keys.press("ArrowDown")
    expect(mine.nth(1)).to_be_focused()
    second.say("I am still here")
    expect(mine.first).to_contain_text("1 unread")
    expect(mine.first).to_be_focused()
    # Of one that goes, what stands in its place has it.
    lena.post(f"/chat/v1/tickets/{second.ticket['id']}/close/", expect=200)
    expect(mine).to_have_count(1)
    expect(mine.first).to_be_focused()


def test_what_a_button_does_leaves_the_focus_where_one_goes_on(at_desk: AtDesk, app: Ask) -> None:
    arne, title = at_desk("agent"), subject("Take me")
    arne.sit_down("away")
    app(title)
    arne.open(title)
    go_to(arne.page, "Shift+Tab", "Claim")
    arne.page.keyboard.press("Enter")
    expect(arne.page.locator("#desk-claim")).to_be_hidden()
    expect(arne.page.locator("#desk-text")).to_be_focused()


def test_the_filter_of_the_search_is_chosen_by_arrow_keys(at_desk: AtDesk, app: Ask) -> None:
    arne, title = at_desk("agent"), subject("Which state")
    arne.sit_down("away")
    app(title)
    expect(arne.tickets("Waiting")).to_have_count(1)
    state = arne.page.get_by_label("State", exact=True)
    state.focus()
    for _ in range(2):
        arne.page.keyboard.press("ArrowDown")
    expect(state).to_be_focused()
    expect(state).to_have_value("queued")
    expect(arne.tickets("Found").filter(has_text=title)).to_be_visible()


def test_earlier_messages_come_above_what_one_reads(at_desk: AtDesk, lena: Person, app: Ask) -> None:
    arne, title = at_desk("agent"), subject("A long story")
    asked = app(title)
    for number in range(100):
        lena.post(f"/chat/v1/tickets/{asked.ticket['id']}/messages/", {"message": f"Line {number}"}, expect=201)
    arne.sit_down()
    arne.open(title)
    expect(arne.texts()).to_have_count(50)
    keys, page = arne.page.keyboard, arne.page
    for count in (100, 101):
        expect(page.locator("#desk-newer")).to_be_attached()
        page.locator("#desk-earlier").focus()
        page.locator("#desk-scroller").evaluate("(it) => it.scrollTo(0, 0)")
        oldest = arne.texts().first.inner_text()
        before = page.evaluate(STANDS_AT, oldest)
        keys.press("Enter")
        expect(arne.texts()).to_have_count(count)
        assert abs(page.evaluate(STANDS_AT, oldest) - before) < 30  # px: the button above may have gone
    expect(page.locator("#desk-earlier")).to_be_hidden()
    expect(page.locator("#desk-scroller")).to_be_focused()
    page.locator("#desk-newer").focus()
    keys.press("Enter")
    expect(page.locator("#desk-newer")).to_be_hidden()
    expect(page.locator("#desk-scroller")).to_be_focused()
