"""A real browser at a running Lectern: Debian's Chromium, driven by Playwright (make test-browser).

LECTERN_E2E_BASE_URL: where Lectern is. LECTERN_E2E_ACCOUNTS: the accounts file that the demo data wrote. LECTERN_CHROMIUM: the
browser, if it is not the one on the PATH.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright")
from e2e.conftest import admin, clip, course, lesson, video_lesson
from e2e.people import Person, newcomer
from playwright.sync_api import Browser, Error, sync_playwright

from browser.agents import PICTURES, AgentAtDesk
from browser.learners import App

__all__ = ["admin", "clip", "course", "lesson", "video_lesson"]
CHROMIUM = os.environ.get("LECTERN_CHROMIUM") or shutil.which("chromium")
# Nothing is asked of hosts elsewhere; a sandbox is not to be had as root.
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not CHROMIUM:
        skip = pytest.mark.skip(reason="there is no Chromium here: make test-browser")
        for item in items:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def base_url() -> str:
    return os.environ["LECTERN_E2E_BASE_URL"].rstrip("/")


@pytest.fixture(scope="session")
def accounts() -> dict[str, dict[str, str]]:
    loaded: dict[str, Any] = json.loads(Path(os.environ["LECTERN_E2E_ACCOUNTS"]).read_text())
    return loaded["accounts"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        launched.close()


def clear(base_url: str, accounts: dict[str, dict[str, str]]) -> None:
    """No agent is there, and no ticket waits or is open."""
    for account in ("agent", "lead"):
        person = Person(base_url, accounts[account]["username"], accounts[account]["password"])
        person.log_in()
        person.put("/chat/v1/agents/me/", {"status": "offline"}, expect=200)
        for state in ("open", "queued"):
            for ticket in person.get("/chat/v1/tickets/", params={"state": state, "limit": 200}).json()["results"]:
                person.post(f"/chat/v1/tickets/{ticket['id']}/close/", expect=200)
        person.close()


@pytest.fixture(scope="session", autouse=True)
def cleared(base_url: str, accounts: dict[str, dict[str, str]]) -> None:
    clear(base_url, accounts)


@pytest.fixture
def at_desk(
    browser: Browser, base_url: str, accounts: dict[str, dict[str, str]], request: pytest.FixtureRequest
) -> Iterator[Callable[..., AgentAtDesk]]:
    """`at_desk("agent")`: one of the demo's people before a browser of their own. Nothing may go wrong in its scripts.

    At the end their page is kept as a picture in .lectern/tests/browser/, and the desk is cleared.
    """
    there: list[AgentAtDesk] = []

    def sit(who: str, **options: Any) -> AgentAtDesk:
        there.append(AgentAtDesk(browser, base_url, accounts[who], **options))
        return there[-1]

    yield sit
    PICTURES.mkdir(parents=True, exist_ok=True)
    for agent in there:
        with suppress(Error):  # where the page is gone the test has failed, and says how
            agent.page.screenshot(path=PICTURES / f"{request.node.name}-{agent.username}.png")
        agent.close()
    clear(base_url, accounts)
    assert [complaint for agent in there for complaint in agent.complaints] == []


@pytest.fixture
def lena(base_url: str) -> Iterator[Person]:
    """A learner who has just come, with an app of her own."""
    person = newcomer(base_url)
    yield person
    person.close()


@pytest.fixture
def app(lena: Person) -> Iterator[Callable[..., App]]:
    """`app("The video stops")`: Lena asks, and her app stays with the ticket."""
    with ExitStack() as ending:

        def ask(subject: str, message: str = "Can you help me?") -> App:
            body = {"category": "video-playback", "subject": subject, "message": message}
            ticket = lena.post("/chat/v1/tickets/", body, expect=201).json()
            return App(ticket, ending.enter_context(lena.chat(ticket["id"], protocol="chat.v1")))

        yield ask
