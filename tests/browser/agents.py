"""Agents at the support desk, as they see and use its page: by roles and names, as a screen reader does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

PICTURES = (
    Path(__file__).resolve().parents[2] / ".lectern" / "tests" / "browser"
)  # of pages at a test's end, to be looked at
SETTLES_WITHIN = 15_000  # ms: for what takes a few hundred when the machine has nothing else to do
expect.set_options(timeout=SETTLES_WITHIN)


class AgentAtDesk:
    """`complaints` collects what the browser's console says: a script that failed, something the page's policy refused."""

    def __init__(self, browser: Browser, base_url: str, account: dict[str, str], **options: Any) -> None:
        self.base_url = base_url
        self.account = account
        self.username = account["username"]
        options = {"viewport": {"width": 1440, "height": 900}, "accept_downloads": True} | options
        self.context: BrowserContext = browser.new_context(base_url=base_url, **options)
        self.context.set_default_timeout(SETTLES_WITHIN)
        self.complaints: list[str] = []
        self.page = self.new_page()

    def new_page(self) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._note)
        return page

    def _note(self, message: ConsoleMessage) -> None:
        network = "ERR_INTERNET_DISCONNECTED" in message.text or "status of 4" in message.text  # which the tests cause
        if message.type == "error" and not network:
            self.complaints.append(message.text)

    def log_in(self, page: Page | None = None) -> None:
        page = page or self.page
        page.goto("/admin/login/?next=/admin/support/")
        page.get_by_label("Username or e-mail address").fill(self.username)
        page.get_by_label("Password").fill(self.account["password"])
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/admin/support/")

    def sit_down(self, status: str = "online") -> None:
        """Logs in, and says whether tickets may come."""
        self.log_in()
        self.expect_connected()
        self.page.get_by_label("I am").select_option(status)

    def expect_connected(self) -> None:
        expect(self.page.locator("#desk-connection")).to_have_text("Connected")

    def tickets(self, name: str) -> Locator:
        """The tickets below the heading "My tickets" or "Waiting"."""
        lists = {"My tickets": "#desk-mine", "Waiting": "#desk-waiting", "Found": "#desk-found"}
        return self.page.locator(lists[name]).get_by_role("button")

    def open(self, subject: str) -> None:
        self.page.get_by_role("region", name="Tickets").get_by_role("button", name=subject).click()
        expect(self.page.get_by_role("heading", name=subject)).to_be_visible()
        expect(self.page.locator("#desk-warning")).to_be_hidden()

    def say(self, text: str) -> None:
        field = self.page.get_by_label("Text", exact=True)
        field.fill(text)
        field.press("Enter")

    def messages(self) -> Locator:
        return self.page.locator("#desk-messages .message")

    def texts(self) -> Locator:
        return self.page.locator("#desk-messages .message .text")

    def act(self, name: str) -> None:
        self.page.get_by_role("region", name="Conversation").get_by_role("button", name=name).click()

    def close(self) -> None:
        self.context.close()
