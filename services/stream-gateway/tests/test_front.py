"""The real nginx in front of the real gateway: what people get who play, and what those get who try otherwise."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Databases
from test_processes import jwks, serving
from world import FILES, Lesson, Person, World

from deploy.embedded import nginx
from deploy.embedded.postgres import free_port
from deploy.embedded.waiting import looks

__all__ = ["jwks"]  # a fixture of that module's
SEGMENT = "video-360-00001.m4s"
MOVIE = FILES["progressive.mp4"]


def settings_of(databases: Databases, jwks: str, media_root: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": databases.url("stream"),
        "LECTERN_JWKS_URL": jwks,
        "LECTERN_MEDIA_ROOT": str(media_root),
        "LECTERN_PORT_INTERNAL": str(free_port()),
        "LECTERN_TRUSTED_PROXIES": "127.0.0.1/32",
        "LECTERN_WORKERS": "2",
        "LECTERN_LOG_LEVEL": "warning",
    }


@contextmanager
def nginx_before(settings: dict[str, str], home: Path) -> Iterator[int]:
    """nginx's port; the gateway of `settings` may come and go."""
    port = free_port()
    (home / "static-site").mkdir()
    places = dict.fromkeys(("LECTERN_CORE_UPSTREAM", "LECTERN_CHAT_UPSTREAM"), "127.0.0.1:9")
    places |= {"LECTERN_STREAM_UPSTREAM": f"127.0.0.1:{settings['LECTERN_PORT_INTERNAL']}"}
    places |= {"LECTERN_LISTEN": f"127.0.0.1:{port}", "LECTERN_PUBLIC_URL": f"http://127.0.0.1:{port}"}
    places |= {"LECTERN_MEDIA_ROOT": settings["LECTERN_MEDIA_ROOT"], "LECTERN_STATIC_ROOT": str(home / "static")}
    places |= {"LECTERN_ATTACHMENTS_ROOT": str(home / "attachments")}
    places |= {"LECTERN_RESOLVER": "127.0.0.1", "LECTERN_TRUSTED_PROXIES": "", "LECTERN_ALLOWED_ORIGINS": ""}
    nginx.render(home, places)
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(nginx.command(nginx.find_program()), cwd=home, stdout=log, stderr=log)
    for _ in looks(20):
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)
            break
    yield port
    process.terminate()
    process.wait(timeout=10)


@pytest.fixture(scope="module")
def front(databases: Databases, jwks: str, media_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    settings = settings_of(databases, jwks, media_root)
    with serving(**settings), nginx_before(settings, tmp_path_factory.mktemp("nginx")) as port:
        yield port


class Browser(httpx.Client):
    """Keeps cookies; `base` is the address of the playback that it has started."""

    def __init__(self, port: int) -> None:
        super().__init__(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20)
        self.port = port

    def start(self, person: Person, lesson: Lesson) -> dict[str, Any]:
        answer = self.post("/stream/v1/playback", json={"lesson": str(lesson.id)}, headers=person.bearer)
        assert answer.status_code == 201, answer.text
        started: dict[str, Any] = answer.json()
        self.address = f"/stream/v1/p/{started['playback']}"
        return started

    def get_as_is(self, target: str) -> tuple[int, bytes]:
        """With exactly this target, and the cookies."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.putrequest("GET", target, skip_accept_encoding=True)
            connection.putheader("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.read()


@pytest.fixture
def browser(front: int) -> Iterator[Browser]:
    with Browser(front) as opened:
        yield opened


def test_every_file_arrives_as_what_it_is_and_is_nobody_elses_to_keep(
    browser: Browser, alice: Person, lesson: Lesson
) -> None:
    browser.start(alice, lesson)
    kinds = {"m3u8": "application/vnd.apple.mpegurl", "m4s": "video/iso.segment", "mp4": "video/mp4"}
    kinds |= {"jpg": "image/jpeg", "vtt": "text/vtt; charset=utf-8"}
    for name in FILES.keys() - {"package.json"}:
        answer = browser.get(f"{browser.address}/{name}")
        assert (answer.status_code, answer.content) == (200, FILES[name]), name
        assert answer.headers.get_list("content-type") == [kinds[name.rpartition(".")[2]]]
        assert [value.split(",")[0] for value in answer.headers.get_list("cache-control")] == ["private"]
        assert not [header for header in answer.headers if header.startswith("x-accel")]


def test_parts_of_files_and_what_has_not_changed(browser: Browser, alice: Person, lesson: Lesson) -> None:
    address = browser.start(alice, lesson)["mp4_url"]
    whole = browser.get(address)
    tag, modified = whole.headers["etag"], whole.headers["last-modified"]

    def ask(**headers: str) -> httpx.Response:
        return browser.get(address, headers={name.replace("_", "-"): value for name, value in headers.items()})

    for asked, expected in (("0-99", MOVIE[:100]), ("-10", MOVIE[-10:]), ("9990-", MOVIE[9990:])):
        answer = ask(Range=f"bytes={asked}")
        assert (answer.status_code, answer.content) == (206, expected)
        assert answer.headers["content-range"].endswith(f"/{len(MOVIE)}")
    for validator in (tag, modified):
        assert ask(Range="bytes=0-9", If_Range=validator).status_code == 206
    assert ask(Range="bytes=0-9", If_Range='"another"').content == MOVIE
    assert ask(If_None_Match=tag).status_code == ask(If_Modified_Since=modified).status_code == 304
    beyond = ask(Range="bytes=99999-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(MOVIE)}")
    head = browser.head(address)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(MOVIE)))
    assert head.headers["etag"] == tag


def test_a_lessons_file_is_saved_whole_or_in_parts(
    browser: Browser, alice: Person, lesson: Lesson, world: World
) -> None:
    address = f"/stream/v1/attachments/{world.attachment(lesson, 'Übung 1.pdf')}"
    content = b"0123456789" * 20
    whole = browser.get(address, headers=alice.bearer)
    assert (whole.status_code, whole.content, whole.headers["accept-ranges"]) == (200, content, "bytes")
    assert whole.headers["content-disposition"].startswith("attachment; ")
    assert (whole.headers["x-content-type-options"], whole.headers["cache-control"]) == ("nosniff", "private, no-cache")
    assert "sandbox" in whole.headers["content-security-policy"]
    for asked, expected in (("5-9", content[5:10]), ("-3", content[-3:]), ("190-", content[190:])):
        part = browser.get(address, headers=alice.bearer | {"Range": f"bytes={asked}"})
        assert (part.status_code, part.content) == (206, expected)
        assert part.headers["content-disposition"] == whole.headers["content-disposition"]
    stale = alice.bearer | {"Range": "bytes=0-1", "If-Range": '"another"'}
    assert browser.get(address, headers=stale).content == content
    beyond = browser.get(address, headers=alice.bearer | {"Range": "bytes=200-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */200")
    assert browser.get(address, headers={"Range": "bytes=0-1"}).json()["code"] == "not_authenticated"


def test_safari_plays_it_by_itself(browser: Browser, alice: Person, lesson: Lesson, world: World) -> None:
    """As its player asks, without any script: it looks at two bytes first, wants nothing compressed, and has the cookie alone."""
    world.caption(lesson, "en", "English")
    started = browser.start(alice, lesson)
    asks = {
        "X-Playback-Session-Id": "6A0C7C4B-1E4C-4E0B-8B0A-000000000000",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
    }
    browser.headers = httpx.Headers(asks)
    browser.headers.update({"User-Agent": "AppleCoreMedia/1.0.0.22F76 (iPhone; U; CPU OS 18_5 like Mac OS X; en_us)"})
    master = browser.get(started["manifest_url"], headers={"Range": "bytes=0-1"})
    assert master.status_code == 200  # composed for each, and whole: RFC 9110 lets a server pass over a range
    assert master.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert "content-encoding" not in master.headers
    assert int(master.headers["content-length"]) == len(master.content)
    for name in ("video-360.m3u8", "video-360-init.mp4", SEGMENT, "audio.m3u8", "audio-init.mp4", "audio-00001.m4s"):
        content = FILES[name]
        first = browser.get(f"{browser.address}/{name}", headers={"Range": "bytes=0-1"})
        assert (first.status_code, first.content) == (206, content[:2]), name
        assert first.headers["content-range"] == f"bytes 0-1/{len(content)}"
        assert browser.get(f"{browser.address}/{name}").content == content
    captions = browser.get(f"{browser.address}/captions-en.m3u8")
    assert captions.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert browser.get(f"{browser.address}/captions-en.vtt").headers["content-type"].startswith("text/vtt")
    whole = f"bytes=0-{len(MOVIE) - 1}"
    for asked, expected in (("bytes=0-1", MOVIE[:2]), (whole, MOVIE), ("bytes=4000-", MOVIE[4000:])):
        part = browser.get(started["mp4_url"], headers={"Range": asked})
        assert (part.status_code, part.content) == (206, expected)
        assert part.headers["content-type"] == "video/mp4"
        assert part.headers["content-range"].endswith(f"/{len(MOVIE)}")


TRIED = [
    "{base}/package.json",
    "{base}/../../../package.json",
    "{base}/%2e%2e/%2e%2e/package.json",
    "{base}/..%2f..%2fpackage.json",
    "{base}/%252e%252e/package.json",
    "{base}/%252e%252e%252fpackage.json",
    "{base}/poster.jpg%00",
    "{base}/poster.jpg%00.m4s",
    "{base}/poster%25.jpg",
    "{base}/poster.jpg%3f",
    "{base}/poster.jpg%23",
    "{base}/poster+.jpg",
    "{base}/poster%20.jpg",
    "{base}/p%C3%9Cster.jpg",
    "{base}/poster.jpg/../package.json",
    "{base}//poster.jpg",
    "/_media/{path}/poster.jpg",
    "/_media../package.json",
    "/%5fmedia/{path}/poster.jpg",
    "/_s3/{path}/poster.jpg",
    "/stream/v1/p/{other}/poster.jpg",
    "/stream/v1/p/{other}/poster.jpg?{base}/poster.jpg",
    "/stream/v1/p/{other}/poster.jpg?playback={mine}",
    "/stream/v1/p/{other}%2f..%2f{mine}/poster.jpg",
    "/stream/v1/p/{other}/../{mine}%2fposter.jpg",
    "/stream/v1/p/{other}%3f/{mine}/poster.jpg",
    "/stream/v1/p/{mine}%2f{other}/poster.jpg",
]


def test_no_name_leads_anywhere_else(browser: Browser, alice: Person, lesson: Lesson, world: World, front: int) -> None:
    """Each with a cookie that is good, of one lesson: neither another session nor another file answers."""
    bob = world.person("bob")
    world.enrol(bob, lesson)
    with Browser(front) as another:
        other = another.start(bob, lesson)["playback"]
    mine = browser.start(alice, lesson)["playback"]
    assert browser.get_as_is(f"{browser.address}/poster.jpg") == (200, FILES["poster.jpg"])
    places = {"base": browser.address, "path": lesson.path, "mine": mine, "other": other}
    for target in TRIED:
        status, body = browser.get_as_is(target.format(**places))
        assert (status, json.loads(body)["code"]) in ((404, "not_found"), (400, "bad_request")), target


def test_a_nights_pause_and_a_restart_of_the_gateway_end_nothing(
    databases: Databases, jwks: str, media_root: Path, tmp_path: Path, alice: Person, lesson: Lesson, owner: Any
) -> None:
    """nginx keeps connections to the gateway; those to the one before are not in the way."""
    settings = settings_of(databases, jwks, media_root) | {"LECTERN_WORKERS": "1"}
    with nginx_before(settings, tmp_path) as port, Browser(port) as browser:
        with serving(**settings):
            started = browser.start(alice, lesson)
            assert browser.get(f"{browser.address}/{SEGMENT}").status_code == 200
        assert browser.get(f"{browser.address}/{SEGMENT}").status_code == 503
        columns = ("started_at", "expires_at", "last_seen_at", "over_at")
        earlier = ", ".join(f"{column} = {column} - interval '8 hours'" for column in columns)
        statement = f"UPDATE stream.playback_session SET {earlier} WHERE id = %s"
        owner.execute(statement, [started["playback"]])
        with serving(**settings):
            assert browser.get(f"{browser.address}/{SEGMENT}").content == FILES[SEGMENT]
            assert browser.get(started["watermark"]["url"]).json()["code"] != started["watermark"]["code"]
