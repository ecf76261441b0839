"""Which path goes where, and what the services are told about the client."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from stand_ins import NameServer, Rude, Service, problem

from deploy.embedded.waiting import looks


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/v1/courses/", "core"),
        ("/api/schema/", "core"),
        ("/api/schema/swagger-ui/", "core"),
        ("/.well-known/jwks.json", "core"),
        ("/account/verify/", "core"),
        ("/account/reset/", "core"),
        ("/account/unsubscribe/", "core"),
        ("/admin/", "core"),
        ("/admin/login/?next=//somewhere/../else", "core"),
        ("/stream/v1/openapi.json", "stream"),
        ("/stream/v1/p/0190/master.m3u8", "stream"),
        ("/chat/v1/tickets/", "chat"),
        ("/ws/chat/0190/", "chat"),
        ("/ws/desk/", "chat"),
    ],
)
def test_each_path_reaches_its_service_as_the_client_wrote_it(front, request, path: str, service: str) -> None:
    assert front.get_as_is(path)[0] == 200
    assert request.getfixturevalue(service).last.target == path


@pytest.mark.parametrize(
    "path",
    [
        "/readyz",
        "/metrics",
        "/api/metrics",
        "/api/healthz",
        "/stream/healthz",
        "/stream/readyz",
        "/stream/metrics",
        "/chat/healthz",
        "/chat/metrics",
        "/nothing",
        "/account/",
        "/account/nothing/",
        "/api/v2/courses/",
        "/.well-known/openid-configuration",
    ],
)
def test_what_is_not_public_is_404_and_asks_nobody(front, core, stream, chat, path: str) -> None:
    status, body = front.get_as_is(path)
    assert (status, problem(body)["code"]) == (404, "not_found")
    assert core.seen == stream.seen == chat.seen == []


def test_healthz_is_nginx_itself(front, core) -> None:
    assert front.client.get("/healthz").text == "ok\n"
    assert core.seen == []


@pytest.mark.parametrize(
    "path",
    [
        "/metrics/../api/v1/courses/",
        "/metrics/%2e%2e/api/v1/courses/",
        "/api/v1/..%2f..%2fmetrics",
        "/api/v1//courses/",
        "/api/v1/./courses/",
        "/stream/v1/p/%2e%2e/x",
        "/stream/v1/p/a%2Fb",
        "/stream/v1/p/a%5cb",
        "/admin/..",
    ],
)
def test_a_path_that_can_be_read_in_two_ways_is_refused(front, core, stream, path: str) -> None:
    status, body = front.get_as_is(path)
    assert (status, problem(body)["code"]) == (404, "not_found")
    assert core.seen == stream.seen == []


def test_what_a_client_says_about_proxies_is_overwritten(front, core) -> None:
    lies = {
        "X-Request-ID": "chosen-by-the-client",
        "X-Forwarded-For": "10.0.0.1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Prefix": "/evil",
        "X-Forwarded-Server": "evil.example",
        "X-Real-IP": "10.0.0.1",
        "Forwarded": "for=10.0.0.1;host=evil.example;proto=https",
        "X_Forwarded_For": "10.0.0.1",
        "Proxy": "http://evil.example",
    }
    answer = front.client.get(
        "/api/v1/me/", headers=lies | {"Host": "courses.example:8000", "Authorization": "Bearer abc"}
    )
    told = core.last.headers
    assert told["x-forwarded-for"] == told["x-real-ip"] == "127.0.0.1"
    assert told["x-forwarded-proto"] == "http"
    assert told["host"] == told["x-forwarded-host"] == "courses.example:8000"
    assert told["authorization"] == "Bearer abc"
    assert told.keys().isdisjoint(
        {"forwarded", "proxy", "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-server", "x_forwarded_for"}
    )
    assert told["x-request-id"] == answer.headers["X-Request-ID"] != "chosen-by-the-client"
    assert len(told["x-request-id"]) == 32


def test_every_request_has_an_id_of_its_own_and_says_it_once(front, core) -> None:
    from stand_ins import Answer

    core.answers["/api/v1/me/"] = Answer(headers={"X-Request-ID": "said-by-the-service"})
    answers = [front.client.get("/api/v1/me/") for _ in range(2)]
    ids = [answer.headers.get_list("X-Request-ID") for answer in answers]
    assert ids == [[seen.headers["x-request-id"]] for seen in core.seen]
    assert ids[0] != ids[1]


def test_a_websocket_passes_and_only_below_ws(front, core, chat) -> None:
    handshake = "GET {} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    with socket.create_connection(("127.0.0.1", front.port), timeout=10) as connection:
        connection.sendall(handshake.format("/ws/chat/0190/?token=abc").encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")
        connection.sendall(b"hello")
        assert connection.recv(4096) == b"hello"
    assert chat.last.target == "/ws/chat/0190/?token=abc"
    front.client.get("/api/v1/me/", headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    assert "upgrade" not in core.last.headers


def test_a_small_body_limit_and_larger_ones_where_files_come(front, core, stream, chat) -> None:
    small, large = b"x" * 200_000, b"x" * 5_000_000
    assert front.client.post("/api/v1/orders/", content=small).status_code == 200
    for path in ("/api/v1/orders/", "/chat/v1/tickets/", "/stream/v1/playback"):
        refused = front.client.post(path, content=large)
        assert (refused.status_code, problem(refused.content)["code"]) == (413, "too_large")
    for service, path in [
        (core, "/api/v1/courses/python/poster/"),
        (core, "/api/v1/lessons/0190/captions/en/"),
        (core, "/api/v1/lessons/0190/attachments/"),
        (core, "/admin/courses/course/add/"),
        (chat, "/chat/v1/tickets/0190/attachments/"),
        (stream, "/stream/v1/uploads/0190"),
    ]:
        assert front.client.put(path, content=large).status_code == 200, path
        assert len(service.last.body) == len(large)


def test_an_upload_reaches_the_gateway_while_it_is_still_coming(front, stream) -> None:
    import threading

    arrived = threading.Event()
    stream.on_body = lambda _: arrived.set()
    with socket.create_connection(("127.0.0.1", front.port), timeout=10) as connection:
        connection.sendall(
            b"PATCH /stream/v1/uploads/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000
        )
        assert arrived.wait(10)


def test_a_service_that_is_away_is_503_and_says_when_to_try_again(make_front: Callable[..., Any]) -> None:
    from deploy.embedded.postgres import free_port

    rude = Rude()
    front = make_front(
        LECTERN_CORE_UPSTREAM=f"127.0.0.1:{free_port()}",
        LECTERN_CHAT_UPSTREAM=f"127.0.0.1:{rude.port}",
        LECTERN_STREAM_UPSTREAM="no-such-host:8000",
        changes={"resolver_timeout 3s": "resolver_timeout 200ms"},
    )
    for path in ("/api/v1/courses/", "/chat/v1/tickets/", "/ws/chat/1/", "/stream/v1/p/1/x"):
        answer = front.client.get(path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert problem(answer.content)["code"] == "unavailable"
    rude.stop()


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 413, 422, 429, 500, 502, 503])
def test_a_services_own_refusal_passes_as_it_is(front, core, status: int) -> None:
    from stand_ins import Answer

    body = json.dumps({"code": "something_of_its_own"}).encode()
    headers = {"Content-Type": "application/problem+json", "Retry-After": "77", "WWW-Authenticate": "Bearer"}
    core.answers["/api/v1/orders/"] = Answer(status, headers, body)
    answer = front.client.post("/api/v1/orders/", json={})
    assert (answer.status_code, answer.content) == (status, body)
    assert headers.items() <= dict(answer.headers.items() | {(n, answer.headers[n]) for n in headers}).items()


def test_a_service_recreated_on_another_address_is_found_again(make_front: Callable[..., Any]) -> None:
    old = Service("127.0.0.2")
    new = Service("127.0.0.3", old.port)
    names = NameServer("127.0.0.2")
    front = make_front(
        LECTERN_RESOLVER=f"127.0.0.1:{names.port}",
        LECTERN_CORE_UPSTREAM=f"core-api:{old.port}",
        changes={"valid=5s": "valid=1s"},
    )
    assert front.client.get("/api/v1/courses/").status_code == 200
    assert len(old.seen) == 1
    old.stop()
    names.address = "127.0.0.3"
    assert any(front.client.get("/api/v1/courses/").status_code == 200 for _ in looks(8))
    assert new.seen
    new.stop()
    names.stop()
