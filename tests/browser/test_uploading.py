"""The admin site's page that uploads a lesson's video, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

HANDING_OVER = re.compile(r"/api/v1/lessons/[^/]+/video/$")
WITHIN = 60_000  # ms: a second of video is packaged meanwhile


@pytest.fixture
def page(browser: Browser, base_url: str, accounts: dict[str, dict[str, str]]) -> Iterator[Page]:
    """An admin's, who is logged in."""
    context = browser.new_context(base_url=base_url)
    page = context.new_page()
    page.goto("/admin/login/?next=/admin/")
    page.get_by_label("Username or e-mail address").fill(accounts["admin"]["username"])
    page.get_by_label("Password").fill(accounts["admin"]["password"])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")
    yield page
    context.close()


@pytest.fixture
def sent(page: Page) -> list[str]:
    """The methods of what the page asks of the gateway: POST begins an upload, PATCH sends bytes."""
    methods: list[str] = []

    def note(request: Request) -> None:
        if "/stream/v1/uploads/" in request.url:
            methods.append(request.method)

    page.on("request", note)
    return methods


def choose(page: Page, lesson: dict[str, Any], clip: Path) -> None:
    page.goto(f"/admin/courses/lesson/{lesson['id']}/video/")
    page.get_by_label("File:").set_input_files(clip)


def upload(page: Page, answer: str) -> None:
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("status")).to_contain_text(answer, timeout=WITHIN)


def lose_the_line(page: Page, when: str) -> None:
    """As the video is handed over for the first time: the request never arrives, or its answer does not."""

    def lose(route: Route) -> None:
        assert route.request.method == "POST"
        if when == "after":
            route.fetch()
        route.abort()

    page.route(HANDING_OVER, lose, times=1)


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_is_all_there_is_not_sent_again_where_handing_it_over_failed(
    page: Page, sent: list[str], video_lesson: dict[str, Any], clip: Path, when: str
) -> None:
    choose(page, video_lesson, clip)
    lose_the_line(page, when)
    upload(page, "press Upload to go on")
    upload(page, "The video is ready to be watched.")
    assert (sent.count("POST"), sent.count("PATCH")) == (1, 1)


def test_nor_after_the_page_was_opened_again(
    page: Page, sent: list[str], video_lesson: dict[str, Any], clip: Path
) -> None:
    choose(page, video_lesson, clip)
    lose_the_line(page, "before")
    upload(page, "press Upload to go on")
    choose(page, video_lesson, clip)
    upload(page, "The video is ready to be watched.")
    assert (sent.count("POST"), sent.count("PATCH")) == (1, 1)


def test_a_file_that_became_a_video_may_be_uploaded_again(
    page: Page, sent: list[str], video_lesson: dict[str, Any], clip: Path
) -> None:
    choose(page, video_lesson, clip)
    upload(page, "The video is ready to be watched.")
    upload(page, "The video is ready to be watched.")  # its author thought that it was another one
    assert (sent.count("POST"), sent.count("PATCH")) == (2, 2)
