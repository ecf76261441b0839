"""nginx's own answers: headers, problems, files, limits, and what it writes down."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from stand_ins import Answer, problem

from deploy.embedded.waiting import looks

SAFE = (
    "X-Content-Type-Options",
    "Referrer-Policy",
    "X-Frame-Options",
    "Cross-Origin-Opener-Policy",
    "Content-Security-Policy",
    "X-Request-ID",
)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/landing.css",
        "/healthz",
        "/nothing",
        "/static/site.js",
        "/static/nothing.js",
        "/_media/x",
        "/admin",
        "/api/v1/courses/",
        "/stream/v1/openapi.json",
        "/chat/v1/tickets/",
    ],
)
def test_every_answer_carries_each_security_header_once(front, path: str) -> None:
    (front.static / "site.js").write_text("1")
    answer = front.client.get(path)
    assert {name: len(answer.headers.get_list(name)) for name in SAFE} == dict.fromkeys(SAFE, 1)
    assert "Strict-Transport-Security" not in answer.headers  # the public address is not https
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Server"] == "nginx"


def test_a_site_whose_address_is_https_says_so_on_every_answer_once(
    make_front: Callable[..., Any], core, stream
) -> None:
    front = make_front(LECTERN_PUBLIC_URL="https://courses.example.org")
    year = "max-age=31536000"
    core.answers["/admin/"] = Answer(headers={"Strict-Transport-Security": year})
    stream.answers["/stream/v1/p/1/poster.jpg"] = Answer(headers={"X-Accel-Redirect": "/_media/poster.jpg"})
    (front.media / "poster.jpg").write_bytes(b"jpg")
    for path in ("/", "/healthz", "/nothing", "/admin/", "/stream/v1/p/1/poster.jpg", "/stream/v1/p/1/x", "/chat/v1/x"):
        assert front.client.get(path).headers.get_list("Strict-Transport-Security") == [year], path


def test_what_a_service_says_about_security_stays_as_it_is(front, core) -> None:
    own = {
        "Content-Security-Policy": "default-src 'self'; worker-src blob:",
        "X-Frame-Options": "SAMEORIGIN",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    core.answers["/api/schema/redoc/"] = Answer(headers=own)
    answer = front.client.get("/api/schema/redoc/")
    assert {name: answer.headers.get_list(name) for name in own} == {name: [value] for name, value in own.items()}


def test_the_page_at_the_root_links_what_there_is_and_runs_no_script(front) -> None:
    page = front.client.get("/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "/api/schema/swagger-ui/" in page.text
    assert "<script" not in page.text
    assert "style=" not in page.text


def test_only_a_name_with_a_hash_is_kept_for_long(front) -> None:
    (front.static / "admin").mkdir(exist_ok=True)
    for name in ("base.0123456789ab.css", "base.css"):
        (front.static / "admin" / name).write_text("body{}" * 1000)
    long, short = (front.client.get(f"/static/admin/{name}") for name in ("base.0123456789ab.css", "base.css"))
    assert long.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert short.headers["Cache-Control"] == "public, max-age=300"
    assert long.headers["Content-Encoding"] == "gzip"
    assert "Cache-Control" not in front.client.get("/healthz").headers


@pytest.mark.parametrize("path", ["/static/admin/", "/static/", "/static"])
def test_no_folder_is_listed(front, path: str) -> None:
    (front.static / "admin").mkdir(exist_ok=True)
    assert front.client.get(path).status_code == 404


def test_a_static_file_answers_only_get(front) -> None:
    (front.static / "site.js").write_text("1")
    answer = front.client.post("/static/site.js")
    assert (answer.status_code, problem(answer.content)["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"NONSENSE\r\n\r\n", 400, "bad_request"),
        (b"GET /% HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
        (b"GET /static/..%2f..%2fsecret.txt HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "bad_request"),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "too_large"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 20_000 + b"\r\n\r\n", 431, "too_large"),
    ],
)
def test_what_cannot_be_read_gets_a_problem_too(front, request_bytes: bytes, status: int, code: str) -> None:
    head, _, body = front.raw(request_bytes).partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert b"application/problem+json" in head
    assert problem(body)["code"] == code


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", "/nothing", 404, "There is nothing here, or it is not yours to see."),
        ("GET", "/static/nothing.css", 404, "There is nothing here"),
        ("POST", "/admin/login/", 413, "larger than what is accepted"),
        ("GET", "/certificates/x-y-z/", 503, "A part that this needs is not reachable."),
        ("POST", "/account/unsubscribe/", 503, "Try again shortly."),
    ],
)
def test_people_get_a_page_where_an_app_gets_a_problem(
    make_front: Callable[..., Any], method: str, path: str, status: int, says: str
) -> None:
    from deploy.embedded.postgres import free_port

    front = make_front(LECTERN_CORE_UPSTREAM=f"127.0.0.1:{free_port()}")
    body = b"x" * 11_000_000 if status == 413 else None
    page = front.client.request(method, path, headers=BROWSER, content=body)
    assert (page.status_code, page.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert says in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert ("Retry-After" in page.headers) == (status == 503)
    assert {name: len(page.headers.get_list(name)) for name in SAFE} == dict.fromkeys(SAFE, 1)
    assert "<script" not in page.text
    assert "style=" not in page.text
    refusal = front.client.request(method, path, headers={"Accept": "*/*"}, content=body)
    assert (refusal.status_code, refusal.headers["Content-Type"]) == (status, "application/problem+json")
    assert problem(refusal.content)["status"] == status


# --- Limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/api/v1/auth/token/", "/api/v1/auth/register/", "/api/v1/auth/password/reset/", "/admin/login/"],
)
def test_a_classroom_may_log_in_at_once_but_nobody_may_try_passwords(make_front: Callable[..., Any], path: str) -> None:
    front = make_front(changes={"rate=5r/s": "rate=1r/m", "burst=40 delay=20": "burst=20 nodelay"})
    statuses = [front.client.post(path, json={}).status_code for _ in range(25)]
    assert statuses == [200] * 21 + [429] * 4
    refused = front.client.post(path, json={})
    assert problem(refused.content)["code"] == "too_many_requests"
    assert refused.headers["Retry-After"] == "5"
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert front.client.get(path).status_code == 200
    assert front.client.post("/api/v1/orders/", json={}).status_code == 200


def test_a_burst_of_logins_waits_its_turn(front) -> None:
    with ThreadPoolExecutor(24) as people:
        answers = list(people.map(lambda _: front.client.post("/api/v1/auth/token/", json={}).status_code, range(24)))
    assert answers == [200] * 24


def test_one_address_cannot_hold_all_connections(make_front: Callable[..., Any]) -> None:
    front = make_front(changes={"limit_conn sockets 2000": "limit_conn sockets 3"})
    handshake = b"GET /ws/desk/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    sockets = [socket.create_connection(("127.0.0.1", front.port), timeout=10) for _ in range(4)]
    first_lines = []
    for connection in sockets:
        connection.sendall(handshake)
        first_lines.append(connection.recv(4096).split(b"\r\n")[0].split()[1])
    for connection in sockets:
        connection.close()
    assert first_lines == [b"101", b"101", b"101", b"429"]
    # nginx counts a connection until it has noticed its end.
    assert any(front.client.get("/ws/desk/").status_code == 200 for _ in looks(10))


# --- What is written down --------------------------------------------------------------------------------------------


def test_no_token_is_ever_written_down(make_front: Callable[..., Any], stream, front: Any) -> None:
    """Also where something goes wrong, since nginx ends each message of its error log with the request's first line."""
    from deploy.embedded.postgres import free_port

    nginx = make_front(
        LECTERN_CHAT_UPSTREAM=f"127.0.0.1:{free_port()}", changes={"limit_conn streams 500": "limit_conn streams 1"}
    )
    (nginx.media / "closed").mkdir()
    (nginx.media / "link").symlink_to("/etc/passwd")
    stream.answers["/stream/v1/linked"] = Answer(headers={"X-Accel-Redirect": "/_media/link"})
    stream.answers["/stream/v1/unsafe"] = Answer(headers={"X-Accel-Redirect": "/_media/../x"})
    stream.answers["/stream/v1/broken"] = Answer(headers={"Content-Type": "bad\x01header"})
    headers = {"Referer": "http://x/?token=SECRET"}
    paths = [
        "/ws/chat/1/",
        "/chat/v1/tickets/",
        "/api/v1/me/",
        "/static/no.js",
        "/nothing",
        "/_media/x",
        "/healthz",
        "/",
    ]
    for path in [*paths, "/stream/v1/linked", "/stream/v1/unsafe", "/stream/v1/broken"]:
        nginx.client.get(f"{path}?token=SECRET", headers=headers)
    nginx.client.post("/api/v1/orders/?token=SECRET", content=b"x" * 400_000)
    for raw in (
        b"GET /ws/chat/1/?token=SECRET HTTP/9.9\r\n\r\n",
        b"GET /ws/chat/1/?token=SECRET\r\n\r\n",
        b"GET /ws/chat/1/?token=SECRET HTTP/1.1\r\nbad header\r\nHost: x\r\n\r\n",
        b"GET /ws/chat/1/%3Ftoken=SECRET HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /ws/chat/1/#token=SECRET HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /ws/chat/1/?token=SECRET" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://x/ws/chat/1/?token=SECRET HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /api/v1/me/?token=SECRET HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nshort",
    ):
        nginx.raw(raw, hang_up=b"short" in raw)
    with ThreadPoolExecutor(8) as people:
        list(people.map(lambda _: nginx.client.get("/stream/v1/linked?token=SECRET"), range(16)))
    lines = nginx.log_lines(at_least=35)
    assert len(lines) == 35  # every one of them but /healthz
    assert {"/ws/chat/1/", "/api/v1/orders/"} <= {line["path"] for line in lines}
    assert "SECRET" not in nginx.all_logs()


def test_a_line_of_the_log_tells_what_happened(front, core) -> None:
    answer = front.client.get("/api/v1/courses/?search=python", headers={"User-Agent": 'quote " and \\ and \x7f'})
    line = front.log_line_of(answer.headers["X-Request-ID"])
    assert str(line["timestamp"]).endswith("Z")
    assert isinstance(line["duration_ms"], int)
    expected = {
        "level": "info",
        "service": "nginx",
        "event": "request",
        "method": "GET",
        "path": "/api/v1/courses/",
        "status": 200,
        "upstream": f"127.0.0.1:{core.port}",
        "upstream_status": "200",
        "client": "127.0.0.1",
    }
    assert expected.items() <= line.items()
