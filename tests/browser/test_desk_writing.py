"""What an agent writes and attaches is what goes, and nothing of it is lost on the way."""

from __future__ import annotations

import re
from collections.abc import Callable

from e2e.people import Person
from playwright.sync_api import expect

from browser.agents import AgentAtDesk
from browser.learners import App
from browser.test_desk import PIXEL, subject

AtDesk = Callable[..., AgentAtDesk]
Ask = Callable[..., App]
PICTURE = {"name": "there.png", "mimeType": "image/png", "buffer": PIXEL}
# Gives files (and perhaps a text) to what has that selector, by a drop or a paste; whether the browser is kept from its own way.
GIVE = """([selector, kind, names, text]) => {
    const transfer = new DataTransfer();
    for (const name of names) transfer.items.add(new File(["x"], name, { type: "image/png" }));
    if (text) transfer.setData("text/plain", text);
    const options = { bubbles: true, cancelable: true };
    const event = kind === "paste"
        ? new ClipboardEvent(kind, { clipboardData: transfer, ...options })
        : new DragEvent(kind, { dataTransfer: transfer, ...options });
    document.querySelector(selector).dispatchEvent(event);
    return event.defaultPrevented;
}"""


def test_a_note_takes_no_file_along_and_loses_none(at_desk: AtDesk, app: Ask) -> None:
    arne, title = at_desk("agent"), subject("See there")
    asked = app(title)
    arne.sit_down()
    arne.open(title)
    page = arne.page
    page.get_by_label("Attach a file").set_input_files(PICTURE)
    expect(page.locator("#desk-attached-name")).to_contain_text("there.png")
    page.get_by_label("Internal note").check()
    arne.say("")  # which is no note, not even with the file's name
    arne.say("I send her a picture.")
    expect(page.locator("#desk-messages .note .text")).to_have_text(["I send her a picture."])
    assert page.evaluate(GIVE, ["#desk-text", "drop", ["other.png"], ""])
    expect(page.locator("#desk-composer-said")).to_contain_text("A note has no file")
    page.get_by_label("Answer", exact=True).check()
    expect(page.locator("#desk-attached-name")).to_contain_text("there.png")
    arne.say("Look:")
    assert asked.until("message", message="Look:")["attachment"]["name"] == "there.png"


def test_what_is_given_is_taken_or_refused_in_words(at_desk: AtDesk, lena: Person, app: Ask) -> None:
    arne, title = at_desk("agent"), subject("Many files")
    asked = app(title)
    arne.sit_down()
    arne.open(title)
    page, said = arne.page, arne.page.locator("#desk-composer-said")
    page.evaluate(GIVE, ["#desk-messages", "drop", ["one.png", "two.png"], ""])
    expect(said).to_contain_text("Only one file goes with a message")
    for kind in ("dragover", "drop"):  # beside the conversation: the page would be left for the file
        assert page.evaluate(GIVE, ["#desk-tickets", kind, ["one.png"], ""])
    assert not page.evaluate(GIVE, ["#desk-text", "paste", ["cells.png"], "1\t2"])  # the text is what was meant
    # The learner closes it while he writes: he is told, and keeps what he wrote.
    page.locator("#desk-text").fill("My long answer")
    lena.post(f"/chat/v1/tickets/{asked.ticket['id']}/close/", expect=200)
    expect(page.locator("#desk-about")).to_contain_text("closed")
    page.locator("#desk-text").press("Enter")
    expect(said).to_have_text("Reopen the ticket to answer.")
    expect(page.locator("#desk-text")).to_have_value("My long answer")


def test_what_was_refused_comes_back_before_what_was_begun_since(at_desk: AtDesk, lena: Person, app: Ask) -> None:
    arne, title = at_desk("agent"), subject("Too late")
    asked = app(title)
    arne.sit_down()
    arne.open(title)
    arne.context.set_offline(True)
    expect(arne.page.locator("#desk-connection")).to_contain_text("Not connected")
    arne.say("Press there.")
    lena.post(f"/chat/v1/tickets/{asked.ticket['id']}/close/", expect=200)
    arne.context.set_offline(False)
    expect(arne.page.locator("#desk-messages .refused")).to_contain_text("Press there.")
    arne.page.locator("#desk-text").fill("Then wait.")
    arne.page.get_by_role("button", name="Write it anew").click()
    expect(arne.page.locator("#desk-text")).to_have_value("Press there.\nThen wait.")


def test_tags_that_are_typed_quickly_are_all_kept(at_desk: AtDesk, app: Ask) -> None:
    arne, title = at_desk("agent"), subject("Tagged")
    asked = app(title)
    arne.sit_down()
    arne.open(title)
    arne.page.evaluate("""() => {
        const form = document.getElementById("desk-tag-form");
        for (const tag of ["old laptop", "player", "player", "sound"]) {
            form.elements.tag.value = tag;
            form.requestSubmit();
        }
    }""")
    arne.page.get_by_role("button", name="Remove the tag player").click()
    tags = arne.page.get_by_role("list", name="Tags").get_by_role("listitem")
    expect(tags).to_have_text([re.compile("^old-laptop"), re.compile("^sound")])
    again = arne.new_page()  # what the server has
    again.goto(f"/admin/support/#{asked.ticket['id']}")
    expect(again.locator("#desk-tags li")).to_have_text([re.compile("^old-laptop"), re.compile("^sound")])
    # One that is refused is taken away again.
    arne.page.get_by_label("New tag").fill("?!")
    arne.page.keyboard.press("Enter")
    expect(arne.page.locator("#desk-said")).to_contain_text("A tag has")
    expect(tags).to_have_count(2)
