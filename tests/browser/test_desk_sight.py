"""What an agent sees and hears: on a narrow page, of very long words, and when a conversation is opened."""

from __future__ import annotations

from collections.abc import Callable

from e2e.people import Person
from playwright.sync_api import expect

from browser.agents import PICTURES, AgentAtDesk
from browser.learners import App
from browser.test_desk import PIXEL, subject

AtDesk = Callable[..., AgentAtDesk]
Ask = Callable[..., App]
# Keeps everything that a screen reader is told.
LISTEN = """() => {
    window.heard = [];
    const listen = (changes) => changes.forEach((each) => each.addedNodes.forEach((it) => window.heard.push(it.textContent)));
    new MutationObserver(listen).observe(document.getElementById("desk-announcer"), { childList: true });
}"""
# What stands beyond the edge of the column that it is in.
BEYOND = """() => [...document.querySelectorAll("#desk :is(section, aside) *")]
    .filter((it) => it.checkVisibility() && !it.closest(".visually-hidden"))
    .filter((it) => it.getBoundingClientRect().right > it.closest("section, aside").getBoundingClientRect().right + 1)
    .map((it) => `${it.tagName}#${it.id}.${it.className}`)"""


def say(lena: Person, asked: App, texts: list[str]) -> None:
    for text in texts:
        lena.post(f"/chat/v1/tickets/{asked.ticket['id']}/messages/", {"message": text}, expect=201)


def test_on_a_narrow_page_only_what_was_in_sight_counts_as_read(at_desk: AtDesk, lena: Person, app: Ask) -> None:
    arne, title = at_desk("agent", viewport={"width": 390, "height": 844}), subject("On a phone")
    asked = app(title)
    say(lena, asked, [f"Line {number}" for number in range(30)])
    arne.sit_down()
    arne.open(title)
    expect(arne.tickets("My tickets")).not_to_contain_text("unread")
    assert arne.page.evaluate("document.documentElement.scrollHeight") < 3 * 844  # the conversation scrolls by itself
    arne.page.evaluate("scrollTo(0, 0)")
    say(lena, asked, ["Hello?"])
    expect(arne.texts().last).to_have_text("Hello?")
    expect(arne.tickets("My tickets")).to_contain_text("1 unread")
    arne.page.locator("#desk-text").scroll_into_view_if_needed()
    expect(arne.tickets("My tickets")).not_to_contain_text("unread")


def test_a_leads_links_stay_in_their_bar_on_a_narrow_page(at_desk: AtDesk) -> None:
    lea = at_desk("lead", viewport={"width": 390, "height": 844})
    lea.sit_down()
    link, bar = lea.page.get_by_role("link", name="Canned answers"), lea.page.locator(".breadcrumbs")
    below = "it => it.getBoundingClientRect().bottom"
    assert link.evaluate(below) <= bar.evaluate(below)


def test_very_long_words_push_nothing_out_of_reach(at_desk: AtDesk, lena: Person, app: Ask) -> None:
    arne, title = at_desk("agent"), subject("Donaudampfschifffahrt" * 7)
    asked = app(title, "Kapitänskajüte" * 60)
    files = f"/chat/v1/tickets/{asked.ticket['id']}/attachments/"
    sent = lena.http.post(files, files={"file": ("Bildschirmfoto_" * 9 + ".png", PIXEL)}).json()
    asked.send(type="message", client_id="a", message="שלום (1) abc!", attachment=sent["id"])
    asked.until("ack")
    arne.sit_down()
    arne.page.get_by_role("region", name="Tickets").get_by_role("button", name=title).click()
    expect(arne.messages()).to_have_count(2)
    arne.page.get_by_label("New tag").fill("Schiff" * 6)
    arne.page.keyboard.press("Enter")
    picture = {"name": "Antwort_" * 15 + ".png", "mimeType": "image/png", "buffer": PIXEL}
    arne.page.get_by_label("Attach a file").set_input_files(picture)
    expect(arne.page.locator("#desk-attached-name")).to_contain_text("Antwort")
    for width, height in ((1440, 900), (1000, 700), (1280, 500), (390, 844)):
        arne.page.set_viewport_size({"width": width, "height": height})
        assert arne.page.evaluate(BEYOND) == [], width
        arne.page.get_by_role("button", name="Send", exact=True).click(trial=True)
        arne.page.get_by_label("Messages", exact=True).click(trial=True)  # in sight, or scrolled to
        arne.page.screenshot(path=PICTURES / f"long-words-{width}.png", full_page=True)
    hebrew = arne.texts().last.evaluate("(it) => getComputedStyle(it).unicodeBidi")
    assert hebrew == "plaintext"  # from right to left, in a page from left to right


def test_a_screen_reader_says_what_is_new_and_not_all_that_was_ever_said(
    at_desk: AtDesk, lena: Person, app: Ask
) -> None:
    arne, title = at_desk("agent"), subject("Long ago")
    asked = app(title, "An old one")
    say(lena, asked, ["Another old one"])
    arne.sit_down()
    arne.page.evaluate(LISTEN)
    arne.open(title)
    expect(arne.texts()).to_have_count(2)
    say(lena, asked, ["A new one"])
    expect(arne.texts()).to_have_count(3)
    arne.context.set_offline(True)
    expect(arne.page.locator("#desk-connection")).to_contain_text("Not connected")
    say(lena, asked, ["Missed one", "Missed two"])
    arne.context.set_offline(False)
    expect(arne.texts()).to_have_count(5)
    heard = [text for text in arne.page.evaluate("heard") if "one" in text or "two" in text or "message" in text]
    assert heard == [f"{lena.username}: A new one", "2 new messages."]


def test_a_download_that_fails_is_told_to_who_sees(at_desk: AtDesk, lena: Person, app: Ask) -> None:
    arne, title = at_desk("agent"), subject("The log")
    asked = app(title)
    sent = lena.http.post(f"/chat/v1/tickets/{asked.ticket['id']}/attachments/", files={"file": ("a.txt", b"x")}).json()
    asked.send(type="message", client_id="a", message="See", attachment=sent["id"])
    arne.sit_down()
    arne.open(title)
    refusal = {"code": "attachment_not_ready", "detail": "The attachment is not ready."}
    arne.page.route("**/chat/v1/attachments/**", lambda route: route.fulfill(status=409, json=refusal))
    arne.page.get_by_role("button", name="a.txt").click()
    expect(arne.page.locator("#desk-told")).to_have_text("a.txt: The attachment is not ready.")
    expect(arne.page.locator("#desk-told")).to_be_visible()
