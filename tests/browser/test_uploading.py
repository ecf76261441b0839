"""An author uploads a lesson's video in the admin site, over a network that fails at bad moments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

PACKAGED_WITHIN = 60_000  # milliseconds
READY = "The video is ready to be watched."


class UploadPage:
    """`sent`: the methods of what went to the uploads. `cut`: how many requests about the video, by method, are to be lost;
    `arrives`: they are not, but their answers.
    """

    arrives = False

    def __init__(self, page: Page, lesson: str) -> None:
        self.page, self.sent, self.cut = page, list[str](), dict[str, int]()
        self.said = page.locator("#video-said")
        self.path = f"/admin/courses/lesson/{lesson}/video/"
        page.on("request", self._note)
        page.route(f"**/api/v1/lessons/{lesson}/video/", self._pass)

    def _note(self, request: Request) -> None:
        if "/stream/v1/uploads/" in request.url:
            self.sent.append(request.method)

    def _pass(self, route: Route) -> None:
        method = route.request.method
        if self.cut.get(method, 0) > 0:
            self.cut[method] -= 1
            if self.arrives:
                route.fetch()
            route.abort("connectionreset")
        else:
            route.continue_()

    def choose(self, file: Path) -> None:
        self.page.get_by_label("File:").set_input_files(file)

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()


@pytest.fixture
def upload_page(
    browser: Browser, base_url: str, accounts: dict[str, dict[str, str]], video_lesson: dict[str, Any]
) -> Iterator[Callable[[], UploadPage]]:
    """The page of the lesson's video, for the admin, who is logged in."""
    context = browser.new_context(base_url=base_url)

    def opened() -> UploadPage:
        there = UploadPage(context.new_page(), video_lesson["id"])
        there.page.goto(there.path)
        if "/login/" in there.page.url:
            there.page.get_by_label("Username or e-mail address").fill(accounts["admin"]["username"])
            there.page.get_by_label("Password").fill(accounts["admin"]["password"])
            there.page.get_by_role("button", name="Log in").click()
            there.page.wait_for_url(f"**{there.path}")
        return there

    yield opened
    context.close()


@pytest.mark.parametrize("arrives", [False, True])
def test_what_has_come_is_not_sent_again_where_handing_it_on_fails(
    upload_page: Callable[[], UploadPage], clip: Path, arrives: bool
) -> None:
    there = upload_page()
    there.cut, there.arrives = {"POST": 1}, arrives
    there.choose(clip)
    there.press("Upload")
    expect(there.said).to_contain_text("The connection was lost.")
    expect(there.said).to_contain_text("press Upload to go on")
    there.cut = {"GET": 2}  # on the way, somebody looks how far it is
    there.press("Upload")
    expect(there.said).to_have_text(READY, timeout=PACKAGED_WITHIN)
    assert there.sent.count("POST") == 1
    assert there.cut == {"GET": 0}


def test_nor_after_the_page_was_closed(upload_page: Callable[[], UploadPage], clip: Path) -> None:
    there = upload_page()
    there.cut = {"POST": 1}
    there.choose(clip)
    there.press("Upload")
    expect(there.said).to_contain_text("The connection was lost.")
    there.page.reload()
    there.choose(clip)
    there.press("Upload")
    expect(there.said).to_have_text(READY, timeout=PACKAGED_WITHIN)
    assert there.sent.count("POST") == 1


def test_a_file_that_became_a_video_may_be_uploaded_again(upload_page: Callable[[], UploadPage], clip: Path) -> None:
    """Its author thought that it was another one."""
    there = upload_page()
    there.choose(clip)
    for times in (1, 2):
        there.press("Upload")
        expect(there.said).to_have_text(READY, timeout=PACKAGED_WITHIN)
        assert there.sent.count("POST") == times


def test_a_video_that_failed_says_why_and_is_packaged_again_from_here(
    upload_page: Callable[[], UploadPage], tmp_path: Path
) -> None:
    there, reason = upload_page(), "The file cannot be read as a video."
    diary = tmp_path / "diary.mp4"
    diary.write_text("Dear diary")
    there.choose(diary)
    there.press("Upload")
    expect(there.said).to_contain_text(reason, timeout=PACKAGED_WITHIN)
    later = upload_page()
    expect(later.said).to_contain_text(reason)
    with later.page.expect_response("**/video/retry/") as answer:
        later.press("Package again")
    assert answer.value.status == 202
    expect(later.said).to_contain_text(reason, timeout=PACKAGED_WITHIN)
