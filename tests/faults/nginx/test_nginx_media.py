"""X-Accel-Redirect: only the gateway's yes sends a file, and nothing else ever reaches one."""

from __future__ import annotations

import pytest
from stand_ins import Answer, problem

FILE = "/_media/packages/a/b/video-360-00001.m4s"
CONTENT = bytes(range(256)) * 40
ASK = "/stream/v1/p/0190/video-360-00001.m4s"


@pytest.fixture(autouse=True)
def segment(front, stream) -> None:
    folder = front.media / "packages" / "a" / "b"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "video-360-00001.m4s").write_bytes(CONTENT)
    (front.home / "secret.txt").write_text("TOP SECRET")
    stream.answers[ASK] = yes()


def yes(path: str = FILE, status: int = 200, **headers: str) -> Answer:
    return Answer(status, {"X-Accel-Redirect": path, "Content-Type": "video/mp4"} | headers, b"")


def test_a_yes_sends_the_file(front) -> None:
    answer = front.client.get(ASK)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_head_tells_the_length_and_sends_nothing(front) -> None:
    answer = front.client.head(ASK)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(CONTENT))


def test_ranges(front) -> None:
    def ask(ranges: str, **headers: str):
        return front.client.get(ASK, headers={"Range": f"bytes={ranges}"} | headers)

    assert (ask("0-99").status_code, ask("0-99").content) == (206, CONTENT[:100])
    assert ask("0-99").headers["Content-Range"] == f"bytes 0-99/{len(CONTENT)}"
    assert ask("-10").content == CONTENT[-10:]
    assert ask("10200-").content == CONTENT[10200:]
    several = ask("0-1,10-11")
    assert several.status_code == 206
    assert several.headers["Content-Type"].startswith("multipart/byteranges")
    assert CONTENT[10:12] in several.content
    tag = front.client.get(ASK).headers["ETag"]
    assert ask("0-9", **{"If-Range": tag}).status_code == 206
    assert ask("0-9", **{"If-Range": '"another"'}).content == CONTENT


def test_a_range_beyond_the_end_is_a_problem_that_tells_the_length(front) -> None:
    answer = front.client.get(ASK, headers={"Range": "bytes=99999999-"})
    assert (answer.status_code, problem(answer.content)["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize("asked", [{"Range": "bytes=99999999-"}, {"If-Match": '"another"'}])
def test_what_a_file_is_refused_for_is_said_once_and_to_web_apps_too(make_front, stream, asked: dict[str, str]) -> None:
    """A header said twice is two values: browsers take no Access-Control-Allow-Origin that names its origin twice."""
    app = "https://app.example"
    front = make_front(LECTERN_ALLOWED_ORIGINS=app)
    folder = front.media / "packages" / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "video-360-00001.m4s").write_bytes(CONTENT)
    cors = {"Access-Control-Allow-Origin": app, "Access-Control-Allow-Credentials": "true", "Vary": "Origin"}
    stream.answers[ASK] = yes(**cors, **{"Cache-Control": "private, max-age=3600"})
    answer = front.client.get(ASK, headers=asked | {"Origin": app})
    assert answer.status_code == (416 if "Range" in asked else 412)
    assert {name: answer.headers.get_list(name) for name in cors} == {name: [value] for name, value in cors.items()}
    names = [name.lower() for name, _ in answer.headers.raw]
    assert [name for name in names if names.count(name) > 1 and name != b"cache-control"] == []
    assert "no-store" in answer.headers["Cache-Control"]


def test_what_has_not_changed_is_not_sent_again(front) -> None:
    tag = front.client.get(ASK).headers["ETag"]
    assert front.client.get(ASK, headers={"If-None-Match": tag}).status_code == 304


def test_the_gateways_headers_stay_and_nginx_adds_the_rest(front, stream) -> None:
    kept = {
        "Cache-Control": "private, max-age=60",
        "Content-Disposition": 'attachment; filename="a.mp4"',
        "Set-Cookie": "playback=1; Path=/stream/v1/p/0190/; HttpOnly",
    }
    cors = {
        "Access-Control-Allow-Origin": "https://app.example",
        "Access-Control-Allow-Credentials": "true",
        "Vary": "Origin",
    }
    stream.answers[ASK] = yes(**kept, **cors, **{"X-Content-Type-Options": "nosniff", "X-Internal": "1"})
    answer = front.client.get(ASK)
    assert {name: answer.headers[name] for name in kept | cors} == kept | cors
    assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Request-ID"] == stream.last.headers["x-request-id"]
    assert not {"X-Accel-Redirect", "X-Internal"} & set(answer.headers)


def test_the_pace_that_the_gateway_sets_is_kept(front, stream) -> None:
    import time

    stream.answers[ASK] = yes(**{"X-Accel-Limit-Rate": "10000"})
    began = time.monotonic()
    assert front.client.get(ASK).content == CONTENT
    assert time.monotonic() - began > 0.5


@pytest.mark.parametrize("status", [201, 302, 401, 403, 404, 409, 500, 503])
def test_a_refusal_that_carries_the_header_does_not_become_the_file(front, stream, status: int) -> None:
    stream.answers[ASK] = yes(status=status)
    answer = front.client.get(ASK)
    assert (answer.status_code, problem(answer.content)["code"]) == (500, "internal_error")
    assert CONTENT[:50] not in answer.content


def test_a_file_of_a_ticket_is_sent_when_chat_says_so(front, chat) -> None:
    lies = front.attachments / "ab" / "0190ab"
    lies.parent.mkdir(exist_ok=True)
    lies.write_bytes(CONTENT)
    name = "attachment; filename=\"a.png\"; filename*=UTF-8''a.png"
    headers = {"Content-Type": "image/png", "Content-Disposition": name, "Cache-Control": "private, no-cache"}
    asked = "/chat/v1/attachments/0190ab/"
    chat.answers[asked] = Answer(200, {"X-Accel-Redirect": "/_attachments/ab/0190ab"} | headers, b"")
    answer = front.client.get(asked)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert {header: answer.headers[header] for header in headers} == headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    part = front.client.get(asked, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, CONTENT[10:20])
    chat.answers[asked] = Answer(404, {"X-Accel-Redirect": "/_attachments/ab/0190ab"} | headers, b"")
    assert problem(front.client.get(asked).content)["code"] == "internal_error"


@pytest.mark.parametrize(
    ("service", "asked", "named"),
    [
        ("chat", "/chat/v1/attachments/0190ab/", FILE),
        ("chat", "/chat/v1/attachments/0190ab/", "/_attachments/../secret.txt"),
        ("chat", "/chat/v1/attachments/0190ab/", "/_attachments../secret.txt"),
        ("chat", "/chat/v1/attachments/0190ab/", "/_attachments/ab/link"),
        ("chat", "/chat/v1/attachments/0190ab/", "/_attachments/ab/"),
        ("stream", ASK, "/_attachments/ab/0190ab"),
    ],
)
def test_no_gateway_sends_what_is_not_its_own(front, request, service: str, asked: str, named: str) -> None:
    lies = front.attachments / "ab" / "0190ab"
    lies.parent.mkdir(exist_ok=True)
    lies.write_bytes(CONTENT)
    link = lies.with_name("link")
    link.is_symlink() or link.symlink_to(front.home / "secret.txt")
    request.getfixturevalue(service).answers[asked] = yes(named)
    answer = front.client.get(asked)
    assert (answer.status_code, problem(answer.content)["code"]) == (404, "not_found")


@pytest.mark.parametrize("where", ["core", "chat"])
def test_another_service_cannot_steer_nginx(front, request, where: str) -> None:
    path = {"core": "/api/v1/me/", "chat": "/chat/v1/tickets/"}[where]
    steering = {
        "X-Accel-Redirect": FILE,
        "X-Accel-Limit-Rate": "1",
        "X-Accel-Expires": "9",
        "Content-Type": "application/json",
    }
    request.getfixturevalue(where).answers[path] = Answer(200, steering, b'{"mine": true}')
    answer = front.client.get(path)
    assert answer.json() == {"mine": True}
    assert not any(name.startswith("x-accel") for name in answer.headers)


@pytest.mark.parametrize(
    "named",
    [
        "/_media/packages/a/b/nothing.m4s",
        "/_media/packages/a/b",
        "/_media/packages/a/b/",
        "/_media/packages/a/b/link.m4s",
        "/_media/linked/passwd",
        "/_media/../secret.txt",
        "/_media../secret.txt",
        "/_media/%2e%2e/secret.txt",
        "/_nowhere/x",
    ],
)
def test_a_yes_to_what_must_not_be_read_is_a_plain_404(front, stream, named: str) -> None:
    folder = front.media / "packages" / "a" / "b"
    for link, target in [(folder / "link.m4s", front.home / "secret.txt"), (front.media / "linked", "/etc")]:
        link.is_symlink() or link.symlink_to(target)
    stream.answers[ASK] = yes(named, **{"Cache-Control": "public, max-age=31536000, immutable"})
    answer = front.client.get(ASK)
    assert (answer.status_code, problem(answer.content)["code"]) == (404, "not_found")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "no-store" in answer.headers["Cache-Control"]  # beside what the gateway said, and stronger


def test_a_media_folder_that_is_itself_reached_through_a_link_works(make_front, tmp_path, stream) -> None:
    real = tmp_path / "volume"
    (real / "x").mkdir(parents=True)
    (real / "x" / "poster.jpg").write_bytes(b"jpg")
    (tmp_path / "media").symlink_to(real)
    front = make_front(LECTERN_MEDIA_ROOT=str(tmp_path / "media"))
    stream.answers[ASK] = yes("/_media/x/poster.jpg")
    assert front.client.get(ASK).content == b"jpg"


@pytest.mark.parametrize(
    "target",
    [
        FILE,
        "/_media/",
        "/_media",
        "/_media../secret.txt",
        "/_media%2e%2e/secret.txt",
        "/_media/../secret.txt",
        "/_media/%2e%2e/secret.txt",
        "/_media/..%2fsecret.txt",
        "/%5fmedia/packages/a/b/video-360-00001.m4s",
        "//_media/packages/a/b/video-360-00001.m4s",
        "/x/..//_media/packages/a/b/video-360-00001.m4s",
        "/_attachments/1",
        "/_attachments../secret.txt",
        "/static/../media/packages/a/b/video-360-00001.m4s",
        "/static../secret.txt",
        "/static/..%2fsecret.txt",
        "/_problem/bad_request",
        "/nginx.conf",
        "/conf.d/routes.conf",
    ],
)
def test_a_client_who_asks_for_a_file_by_its_inner_name_gets_404(front, stream, target: str) -> None:
    status, body = front.get_as_is(target)
    assert (status, problem(body)["code"]) == (404, "not_found")
    assert stream.seen == []


def test_a_poster_is_everybodys_and_kept_for_good(front, stream) -> None:
    poster = front.media / "posters" / "0190-ab" / "0123abcd.jpg"
    poster.parent.mkdir(parents=True, exist_ok=True)
    poster.write_bytes(b"jpg")
    (poster.parent / ".0123abcd.jpg").write_bytes(b"being written")
    answer = front.client.get("/posters/0190-ab/0123abcd.jpg")
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (200, b"jpg", "image/jpeg")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for name in ("0190-ab/.0123abcd.jpg", "0190-ab/", "0190-ab/0123.jpg", "..%2fpackages/a/b/poster.jpg"):
        assert problem(front.client.get(f"/posters/{name}").content)["code"] == "not_found", name
    assert front.client.post("/posters/0190-ab/0123abcd.jpg").headers["Allow"] == "GET, HEAD"
    assert stream.seen == []
