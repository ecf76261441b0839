"""What stands around the conversation at the desk: a gateway that restarts, pictures, notifications, access for everybody."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from e2e.people import Person
from playwright.sync_api import expect

from browser.agents import PICTURES, AgentAtDesk
from browser.learners import App
from browser.test_desk import PIXEL, subject

AtDesk = Callable[..., AgentAtDesk]
Ask = Callable[..., App]
STATE = Path(os.environ.get("LECTERN_E2E_ACCOUNTS", "/nowhere")).parent  # of the demo, if it is one
RESTART = [sys.executable, "-m", "deploy.embedded.demo", "restart", "chat-gateway"]
OUTAGE = re.compile("status of 50[23]|WebSocket connection to .* failed")  # the browser's own words for it
# Keeps what the desktop is told, and how often the browser was asked for leave. A page of a test is always in sight.
LISTEN = """() => {
    window.told = [];
    window.asked = 0;
    const Real = window.Notification;
    window.Notification = class extends Real {
        static requestPermission() { window.asked += 1; return Real.requestPermission(); }
        constructor(title, options) { super(title, options); window.told.push([title, options.body]); }
    };
    Object.defineProperty(document, "visibilityState", { get: () => window.away ? "hidden" : "visible" });
}"""


@pytest.mark.skipif(not (STATE / "run" / "manager.json").exists(), reason="only a demo's processes can be restarted")
def test_a_gateway_that_restarts_under_the_page_loses_nothing(at_desk: AtDesk, lena: Person, app: Ask) -> None:
    arne, title = at_desk("agent"), subject("While you restart")
    asked = app(title, "One")
    arne.sit_down()
    arne.open(title)
    arne.page.evaluate("window.sameAsBefore = true")
    with subprocess.Popen(RESTART, env=os.environ | {"LECTERN_STATE": str(STATE)}) as restarting:
        expect(arne.page.locator("#desk-connection")).to_contain_text("Not connected")
        arne.say("Two")
        expect(arne.page.locator("#desk-messages .pending")).to_contain_text("Two")
        assert restarting.wait(timeout=60) == 0
    arne.expect_connected()
    expect(arne.messages()).to_have_count(2)
    with lena.chat(asked.ticket["id"], protocol="chat.v1") as socket:
        again = App(asked.ticket, socket)
        again.until("message", message="Two")
        again.say("Three")
        expect(arne.texts()).to_have_text(["One", "Two", "Three"])
        assert again.texts() == ["One", "Two"]
    assert arne.page.evaluate("window.sameAsBefore")
    arne.complaints[:] = [each for each in arne.complaints if not OUTAGE.search(each)]


def test_pictures_are_shown_and_other_files_are_named(at_desk: AtDesk, lena: Person, app: Ask) -> None:
    arne, title = at_desk("agent"), subject("Look at this")
    asked = app(title)
    files = f"/chat/v1/tickets/{asked.ticket['id']}/attachments/"
    for name, content in (("there.png", PIXEL), ("notes.txt", b"It is dark.")):
        sent = lena.http.post(files, files={"file": (name, content)}).json()
        asked.send(type="message", client_id=str(uuid.uuid4()), message=name, attachment=sent["id"])
        asked.until("ack")
    arne.sit_down()
    arne.open(title)
    picture = arne.page.get_by_role("img", name="there.png")
    expect(picture).to_have_attribute("src", re.compile("^blob:"))
    assert picture.evaluate("(it) => it.decode().then(() => [it.naturalWidth, it.naturalHeight])") == [1, 1]
    expect(arne.page.locator("#desk-messages img")).to_have_count(1)
    expect(arne.page.get_by_role("button", name="notes.txt")).to_be_visible()


def test_the_desktop_tells_of_messages_to_who_asked_for_it(at_desk: AtDesk, app: Ask) -> None:
    arne, title = at_desk("agent"), subject("Are you there")
    arne.context.grant_permissions(["notifications"])
    arne.context.add_init_script(f"({LISTEN})()")
    asked = app(title)
    arne.sit_down()
    expect(arne.tickets("My tickets").filter(has_text=title)).to_contain_text("1 unread")
    expect(arne.page).to_have_title("(1) Support desk | Lectern")
    assert arne.page.evaluate("[asked, told]") == [0, []]  # nobody is asked before they wish it
    notify = arne.page.get_by_role("button", name="Notify me")
    notify.click()
    expect(notify).to_have_attribute("aria-pressed", "true")
    asked.say("I am in sight")
    expect(arne.page.get_by_text("2 unread")).to_be_attached()
    arne.page.evaluate("window.away = true")
    asked.say("Hello?")
    expect(arne.page.get_by_text("3 unread")).to_be_attached()
    assert arne.page.evaluate("[asked, told]") == [1, [[title, f"{asked.ticket['learner']}: 3 unread"]]]
    notify.click()
    expect(notify).to_have_attribute("aria-pressed", "false")
    asked.say("Still there?")
    expect(arne.page.get_by_text("4 unread")).to_be_attached()
    assert arne.page.evaluate("told.length") == 1


def test_axe_finds_nothing_that_keeps_anybody_out(at_desk: AtDesk, lena: Person, app: Ask) -> None:
    """By axe-core, in every state that looks different, in light and dark."""
    arne, title = at_desk("agent"), subject("For everybody")
    asked = app(title)
    sent = lena.http.post(
        f"/chat/v1/tickets/{asked.ticket['id']}/attachments/", files={"file": ("what I see.png", PIXEL)}
    ).json()
    asked.send(type="message", client_id=str(uuid.uuid4()), message="Look", attachment=sent["id"])
    arne.sit_down()
    found: list[str] = []
    arne.open(title)
    arne.page.get_by_label("Internal note").check()
    arne.say("A note")
    expect(arne.messages()).to_have_count(3)
    for scheme in ("dark", "light"):
        arne.page.emulate_media(color_scheme=scheme)
        arne.page.get_by_label("Text", exact=True).fill("/")
        expect(arne.page.get_by_role("listbox", name="Ready answers")).to_be_visible()
        found += violations(arne, f"conversation with ready answers, {scheme}")
        arne.page.get_by_label("Text", exact=True).fill("")
    arne.act("Transfer…")
    found += violations(arne, "transfer")
    arne.page.keyboard.press("Escape")
    arne.page.get_by_label("Search in tickets").fill(title)
    expect(arne.tickets("Found").first).to_be_visible()
    arne.page.set_viewport_size({"width": 400, "height": 800})
    assert arne.page.evaluate("document.documentElement.scrollWidth") <= 400
    found += violations(arne, "narrow, search")
    arne.page.screenshot(path=PICTURES / "narrow.png", full_page=True)
    assert found == []


def violations(agent: AgentAtDesk, state: str) -> list[str]:
    """What axe-core calls serious or critical, as sentences."""
    return [
        f"{state}: {each['id']}: {each['help']} ({', '.join(str(node['target']) for node in each['nodes'])})"
        for each in Axe().run(agent.page).response["violations"]
        if each["impact"] in ("serious", "critical")
    ]
