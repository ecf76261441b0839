"""A lesson in a real browser: with hls.js, which most web apps use, and by the browser itself, as Safari plays."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.people import Person
from playwright.sync_api import Browser, Page

PLAYER = Path(__file__).with_name("player")
INSTALL = PLAYER.parents[2] / "services" / "core-api" / "javascript" / "install.py"
PLAYS = "() => video.currentTime > 1 && video.videoWidth > 0"
HAS_CAPTIONS = "(language) => [...video.textTracks].some(track => track.language === language && track.cues?.length)"
WITHIN = 20_000  # milliseconds


@pytest.fixture(scope="session")
def hls_js(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("player")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PLAYER / name, folder / name)
    npm = runpy.run_path(str(INSTALL))["npm"]
    subprocess.run([*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True)
    return folder / "node_modules" / "hls.js" / "dist" / "hls.min.js"


@pytest.fixture
def player(browser: Browser, base_url: str, hls_js: Path) -> Iterator[Page]:
    """A page of Lectern's own host, which Lectern has not."""
    context = browser.new_context()
    page = context.new_page()
    page.route("**/player/", lambda route: route.fulfill(path=PLAYER / "index.html", content_type="text/html"))
    page.route("**/player/hls.min.js", lambda route: route.fulfill(path=hls_js, content_type="text/javascript"))
    page.goto(f"{base_url}/player/")
    yield page
    context.close()


@pytest.fixture
def start(player: Page, lena: Person, course: dict[str, Any], lesson: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Lena buys the course and starts its lesson in the page; the answer of the stream gateway."""
    lena.buy_credit()
    lena.buy(course["slug"])
    return lambda: player.evaluate("([lesson, token]) => start(lesson, token)", [lesson["id"], lena.access])


@pytest.mark.parametrize("way", ["playWithHlsJs", "playNatively"])
def test_a_lesson_plays_from_its_beginning_and_from_its_end(
    player: Page, start: Callable[[], dict[str, Any]], lesson: dict[str, Any], way: str
) -> None:
    if way == "playNatively" and not player.evaluate("video.canPlayType('application/vnd.apple.mpegurl')"):
        pytest.skip("this Chromium has no HLS of its own")  # Debian's has; LECTERN_CHROMIUM may name an older one
    player.evaluate(f"(url) => {way}(url)", start()["manifest_url"])
    player.wait_for_function(PLAYS, timeout=WITHIN)
    assert player.evaluate("video.duration") == pytest.approx(lesson["duration_s"], abs=0.2)
    player.evaluate("() => { video.currentTime = video.duration - 1.5 }")
    player.wait_for_function("() => video.ended", timeout=WITHIN)
    assert player.evaluate("() => video.error && video.error.message") is None


def test_hls_js_shows_the_captions_of_every_language(player: Page, start: Callable[[], dict[str, Any]]) -> None:
    playback = start()
    player.evaluate("(url) => playWithHlsJs(url)", playback["manifest_url"])
    player.wait_for_function(PLAYS, timeout=WITHIN)
    languages = player.evaluate("() => hls.subtitleTracks.map(track => track.lang)")
    assert sorted(languages) == sorted(caption["language"] for caption in playback["captions"])
    for number, language in enumerate(languages):
        player.evaluate("(number) => { hls.subtitleTrack = number }", number)
        player.wait_for_function(HAS_CAPTIONS, arg=language, timeout=WITHIN)
    assert player.evaluate("refused") == []


def test_the_address_alone_plays_nothing(player: Page, start: Callable[[], dict[str, Any]]) -> None:
    url = start()["manifest_url"]
    player.context.clear_cookies()
    player.evaluate("(url) => { playWithHlsJs(url) }", url)
    player.wait_for_function("() => refused.length", timeout=WITHIN)
    assert set(player.evaluate("refused")) == {401}
    assert player.evaluate("(url) => playNatively(url).catch((error) => error.name)", url) == "NotSupportedError"


def test_who_loses_the_course_sees_no_more_of_it(
    player: Page, start: Callable[[], dict[str, Any]], lena: Person, admin: Person
) -> None:
    playback = start()
    player.evaluate("(url) => playWithHlsJs(url)", playback["manifest_url"])
    player.wait_for_function(PLAYS, timeout=WITHIN)
    order = lena.get("/api/v1/orders/").json()["results"][0]
    admin.post(f"/api/v1/orders/{order['id']}/refund/", {"reason": "Asked for"}, key=str(uuid.uuid4()), expect=200)
    player.evaluate("(url) => hls.loadSource(url)", playback["manifest_url"])
    player.wait_for_function("() => refused.includes(403)", timeout=WITHIN)
