"""Agents work at the support desk, and learners are helped: in a real browser, against a running Lectern."""

from __future__ import annotations

import re
import uuid
from base64 import b64encode
from collections.abc import Callable

from e2e.people import Person
from playwright.sync_api import Page, expect

from browser.agents import PICTURES, AgentAtDesk
from browser.learners import App

AtDesk = Callable[..., AgentAtDesk]
Ask = Callable[..., App]
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
DROP = """([selector, base64, name]) => {
    const transfer = new DataTransfer();
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type: "image/png" }));
    for (const kind of ["dragenter", "dragover", "drop"]) {
        const event = new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true });
        document.querySelector(selector).dispatchEvent(event);
    }
}"""


# What can hardly be read: text whose colour is nearer to what is behind it than WCAG's AA allows.
FAINT = """() => {
    const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => {
        const linear = [r, g, b].map((part) => part / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = parts(getComputedStyle(at).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const faint = [];
    const texts = document.createTreeWalker(document.getElementById("desk"), NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
        const element = text.parentElement;
        const unseen = !element.checkVisibility() || element.closest(".visually-hidden, option, :disabled");
        if (unseen || !text.textContent.trim()) continue;
        const [a, b] = [light(parts(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
        const contrast = (a + 0.05) / (b + 0.05);
        if (contrast < 4.5) faint.push(`${contrast.toFixed(1)}: ${text.textContent.trim()}`);
    }
    return faint;
}"""
# What a screen reader could only call "button" or "edit".
NAMELESS = """() => [...document.querySelectorAll("#desk :is(button, input, select, textarea, a)")]
    .filter((it) => it.type !== "hidden" && it.checkVisibility())
    .filter((it) => !(it.labels?.length || it.getAttribute("aria-label") || it.innerText.trim()))
    .map((it) => it.outerHTML)"""


def subject(words: str) -> str:
    """Like no other ticket's."""
    return f"{words} {uuid.uuid4().hex[:6]}"


def test_two_agents_help_a_learner_through_a_cut_connection(at_desk: AtDesk, lena: Person, app: Ask) -> None:
    arne, lea = at_desk("agent"), at_desk("lead")
    arne.sit_down()
    lea.sit_down("away")
    title = subject("The video stops")
    asked = app(title, "It stops after ten seconds.")
    expect(arne.tickets("My tickets").filter(has_text=title)).to_be_visible()
    arne.open(title)
    expect(arne.texts()).to_have_text(["It stops after ten seconds."])
    expect(arne.page.get_by_role("complementary", name="Learner")).to_contain_text(lena.username)

    # Each sees the other write, and what was read.
    asked.send(type="typing")
    expect(arne.page.locator("#desk-typing")).to_have_text(f"{lena.username} is writing …")
    arne.page.get_by_label("Text", exact=True).press_sequentially("Which browser?")
    asked.until("typing", username=arne.username)
    arne.page.keyboard.press("Enter")
    answer = asked.until("message", message="Which browser?")
    expect(arne.page.locator("#desk-messages .seen")).to_have_count(0)
    asked.send(type="read", seq=answer["seq"])
    expect(arne.messages().nth(1)).to_contain_text("Seen")

    # The network goes away while both go on writing. Nothing is lost, doubled or out of order; the page is not loaded again.
    arne.page.evaluate("window.sameAsBefore = true")
    arne.context.set_offline(True)
    expect(arne.page.locator("#desk-connection")).to_contain_text("Not connected")
    arne.say("One moment …")
    arne.say("I look into it.")
    expect(arne.page.locator("#desk-messages .pending")).to_have_count(2)
    asked.say("Firefox.")
    asked.until("message", message="Firefox.")
    arne.context.set_offline(False)
    arne.expect_connected()
    said = ["It stops after ten seconds.", "Which browser?", "Firefox.", "One moment …", "I look into it."]
    expect(arne.texts()).to_have_text(said)
    asked.until("message", message="I look into it.")
    assert asked.texts() == said
    assert [message["seq"] for message in asked.messages] == [1, 2, 3, 4, 5]
    assert arne.page.evaluate("window.sameAsBefore")

    # A note is for the other agent alone, who takes the ticket over, live, and closes it.
    arne.page.get_by_label("Internal note").check()
    arne.say("She has an old laptop.")
    expect(arne.page.locator("#desk-messages .note")).to_contain_text("She has an old laptop.")
    for tag in ("Old Laptop", "player", "player"):
        arne.page.get_by_label("New tag").fill(tag)
        arne.page.keyboard.press("Enter")
    lea.page.get_by_label("I am").select_option("online")
    hand_over(arne, "demo-lead")
    expect(arne.tickets("My tickets").filter(has_text=title)).to_have_count(0)
    expect(lea.tickets("My tickets").filter(has_text=title)).to_be_visible()
    lea.open(title)
    expect(lea.page.locator("#desk-messages .note")).to_contain_text("She has an old laptop.")
    expect(lea.page.get_by_role("list", name="Tags").get_by_role("listitem")).to_contain_text(["old-laptop", "player"])
    expect(arne.page.locator("#desk-warning")).to_contain_text("demo-lead answers this ticket")
    lea.act("Close")
    asked.until("assigned", state="closed")
    expect(lea.tickets("My tickets").filter(has_text=title)).to_have_count(0)
    assert "old laptop" not in " ".join(asked.texts())


def hand_over(agent: AgentAtDesk, to: str) -> None:
    agent.act("Transfer…")
    dialog = agent.page.get_by_role("dialog", name="Hand over")
    target = dialog.locator("option", has_text=re.compile(rf"^{to} \(online")).get_attribute("value")
    dialog.get_by_label("To").select_option(value=target)
    dialog.get_by_role("button", name="Hand over").click()


def test_files_go_both_ways(at_desk: AtDesk, lena: Person, app: Ask) -> None:
    arne, title = at_desk("agent"), subject("What I see")
    asked = app(title)
    arne.sit_down()
    arne.open(title)
    # Hers comes, and is saved by a click.
    files = f"/chat/v1/tickets/{asked.ticket['id']}/attachments/"
    sent = lena.http.post(files, files={"file": ("what I see.png", PIXEL)}).json()
    asked.send(type="message", client_id=str(uuid.uuid4()), message="Look:", attachment=sent["id"])
    with arne.page.expect_download() as saved:
        arne.page.get_by_role("button", name="what I see.png").click()
    assert saved.value.suggested_filename == "what I see.png"
    assert saved.value.path().read_bytes() == PIXEL
    # His is dropped onto the conversation.
    arne.page.evaluate(DROP, ["#desk-messages", b64encode(PIXEL).decode(), "there.png"])
    expect(arne.page.locator("#desk-attached-name")).to_contain_text("there.png")
    arne.say("Press here.")
    answer = asked.until("message", message="Press here.")
    assert lena.get(f"/chat/v1/attachments/{answer['attachment']['id']}/").content == PIXEL
    expect(arne.page.locator("#desk-attached")).to_be_hidden()
    # What is no such file is refused, in words.
    arne.page.get_by_label("Attach a file").set_input_files(
        {"name": "x.exe", "mimeType": "image/png", "buffer": b"MZ\0\1"}
    )
    expect(arne.page.locator("#desk-composer-said")).to_contain_text("x.exe was not taken")


def test_an_agent_proposes_a_refund_out_of_what_stands_beside(at_desk: AtDesk, lena: Person, app: Ask) -> None:
    lena.buy_credit()
    lena.buy("how-video-works")
    arne, title = at_desk("agent"), subject("I want my credit back")
    app(title)
    arne.sit_down()
    arne.open(title)
    beside = arne.page.get_by_role("complementary", name="Learner")
    beside.get_by_role("button", name="Propose").click()
    dialog = arne.page.get_by_role("dialog", name="Propose to finance")
    expect(dialog.get_by_label("By how many days")).to_be_hidden()
    dialog.get_by_label("Why").fill("It does not play")
    dialog.get_by_role("button", name="Propose").click()
    expect(beside).to_contain_text(re.compile(r"Refund of \d+ credits: pending"))


def test_everything_can_be_done_by_keyboard(at_desk: AtDesk, app: Ask) -> None:
    arne, title = at_desk("agent"), subject("Where is my receipt")
    arne.sit_down("away")
    asked = app(title)
    keys = arne.page.keyboard
    expect(arne.tickets("Waiting").filter(has_text=title)).to_be_visible()
    keys.press("Alt+1")
    go_to(arne.page, "ArrowDown", title)
    keys.press("Enter")
    expect(arne.page.get_by_role("heading", name=title)).to_be_visible()
    expect(arne.page.locator("#desk-text")).to_be_focused()
    go_to(arne.page, "Shift+Tab", "Claim")
    keys.press("Enter")
    expect(arne.page.locator("#desk-said")).to_have_text("It is yours.")
    keys.press("Alt+2")
    keys.type("Dear learner, /hel")
    expect(arne.page.get_by_role("listbox", name="Ready answers").get_by_role("option")).to_have_count(1)
    keys.press("Enter")
    expect(arne.page.get_by_label("Text", exact=True)).to_have_value("Dear learner, Hello! I look into it at once.")
    keys.press("Shift+Enter")
    keys.type("Arne")
    keys.press("Enter")
    asked.until("message", message="Dear learner, Hello! I look into it at once.\nArne")
    go_to(arne.page, "Shift+Tab", "Close")
    keys.press("Enter")
    asked.until("assigned", state="closed")
    expect(arne.page.locator("#desk-text")).to_be_focused()  # its button is gone, the focus is not
    expect(arne.page.get_by_role("log")).to_contain_text("Closed.")  # said to who cannot see it


def go_to(page: Page, key: str, name: str) -> None:
    """Presses the key until what has that name has the focus."""
    for _ in range(40):
        page.keyboard.press(key)
        if name in page.evaluate("document.activeElement.innerText ?? ''"):
            return
    raise AssertionError(f"{name} is not to be reached by {key}")


def test_who_logs_out_is_cut_off_at_once_and_goes_on_after_logging_in(at_desk: AtDesk, app: Ask) -> None:
    arne, title = at_desk("agent"), subject("Is anybody there")
    asked = app(title)
    arne.sit_down()
    arne.open(title)
    other = arne.new_page()
    other.goto("/admin/")
    other.get_by_role("button", name="Log out").click()
    expect(arne.page.locator("#desk-connection")).to_contain_text("You are logged out")
    arne.say("I am.")
    expect(arne.page.locator("#desk-messages .pending")).to_contain_text("I am.")
    arne.log_in(other)
    other.close()
    asked.until("message", message="I am.")
    arne.expect_connected()
    expect(arne.texts()).to_have_text(["Can you help me?", "I am."])


def test_it_is_readable_in_light_and_dark_and_every_part_has_a_name(at_desk: AtDesk, app: Ask) -> None:
    arne, title = at_desk("agent", color_scheme="dark"), subject("In the dark")
    app(title, "Hello!\nIs it readable?")
    arne.sit_down()
    arne.open(title)
    arne.page.get_by_label("Internal note").check()
    arne.say("A note")
    expect(arne.messages()).to_have_count(2)
    backgrounds = set()
    for scheme in ("dark", "light"):
        arne.page.emulate_media(color_scheme=scheme)
        assert arne.page.evaluate(FAINT) == []
        backgrounds.add(arne.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        arne.page.screenshot(path=PICTURES / f"{scheme}.png")
    assert len(backgrounds) == 2
    assert arne.page.evaluate(NAMELESS) == []
