"""A proxy in front of nginx: whose word about the client counts (LECTERN_TRUSTED_PROXIES)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

LOGIN = "/api/v1/auth/token/"


@pytest.fixture(scope="module")
def behind_proxies(make_front: Callable[..., Any]) -> Any:
    """127.0.0.1 and 10/8 are the operator's proxies; 127.0.0.2 is anybody."""
    return make_front(LECTERN_TRUSTED_PROXIES="127.0.0.1/32, 10.0.0.0/8,2001:db8:1::/48")


def told(front: Any, core: Any, forwarded: dict[str, str], sender: str = "127.0.0.1") -> tuple[str, str]:
    """The address and the scheme that core-api is told when `sender` forwards a request."""
    transport = httpx.HTTPTransport(local_address=sender)
    with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{front.port}", trust_env=False) as client:
        client.get("/api/v1/courses/", headers=forwarded)
    seen = core.last.headers
    assert seen["x-forwarded-for"] == seen["x-real-ip"]
    return seen["x-forwarded-for"], seen["x-forwarded-proto"]


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("203.0.113.9, 198.51.100.7", "198.51.100.7"),  # the first was made up by the client
        ("198.51.100.7, 10.1.2.3", "198.51.100.7"),  # two proxies
        ("10.9.9.9, 198.51.100.7, 10.1.2.3", "198.51.100.7"),  # a client who says it is the inner proxy
        ("2001:db8::7", "2001:db8::7"),
        ("2001:db8::7, 2001:db8:1::1", "2001:db8::7"),
        ("unknown", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_a_trusted_proxy_says_who_the_client_is(behind_proxies, core, forwarded: str, client: str) -> None:
    assert told(behind_proxies, core, {"X-Forwarded-For": forwarded})[0] == client


@pytest.mark.parametrize(
    ("proto", "scheme"),
    [
        ("https", "https"),
        ("HTTPS", "https"),
        ("http", "http"),
        ("https, http", "http"),
        ("gopher", "http"),
        ("", "http"),
    ],
)
def test_a_trusted_proxy_says_how_the_client_came(behind_proxies, core, proto: str, scheme: str) -> None:
    assert told(behind_proxies, core, {"X-Forwarded-Proto": proto})[1] == scheme


def test_nobody_else_is_believed(behind_proxies, core) -> None:
    lies = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https", "X-Real-IP": "198.51.100.7"}
    assert told(behind_proxies, core, lies, sender="127.0.0.2") == ("127.0.0.2", "http")
    assert told(behind_proxies, core, lies | {"X-Forwarded-For": "127.0.0.1"}, sender="127.0.0.2")[0] == "127.0.0.2"


def test_without_the_setting_no_proxy_is_believed(front, core) -> None:
    lies = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}
    assert told(front, core, lies) == ("127.0.0.1", "http")


def test_what_else_a_trusted_proxy_forwards_is_overwritten(behind_proxies, core) -> None:
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Port": "1", "Forwarded": "for=198.51.100.7"}
    behind_proxies.client.get("/api/v1/courses/", headers=headers | {"Host": "courses.example.org"})
    assert core.last.headers["x-forwarded-host"] == "courses.example.org"
    assert core.last.headers.keys().isdisjoint({"x-forwarded-port", "forwarded"})


def test_each_person_behind_the_proxy_has_limits_of_their_own(make_front: Callable[..., Any]) -> None:
    front = make_front(
        changes={"rate=5r/s": "rate=1r/m", "burst=40 delay=20": "burst=2 nodelay"}, LECTERN_TRUSTED_PROXIES="127.0.0.1"
    )

    def statuses(address: str) -> list[int]:
        return [front.client.post(LOGIN, headers={"X-Forwarded-For": address}).status_code for _ in range(4)]

    assert statuses("198.51.100.7") == statuses("198.51.100.8") == [200, 200, 200, 429]
    assert statuses("1.2.3.4, 198.51.100.7") == [429] * 4  # a made-up address in front of one's own helps nobody
    answer = front.client.get("/api/v1/courses/", headers={"X-Forwarded-For": "198.51.100.7"})
    assert front.log_line_of(answer.headers["X-Request-ID"])["client"] == "198.51.100.7"


def test_each_person_behind_the_proxy_has_sockets_of_their_own(make_front: Callable[..., Any]) -> None:
    front = make_front(changes={"limit_conn sockets 2000": "limit_conn sockets 1"}, LECTERN_TRUSTED_PROXIES="127.0.0.1")
    first_lines, sockets = [], []
    for person in ("198.51.100.7", "198.51.100.8", "198.51.100.7"):
        sockets.append(connection := socket.create_connection(("127.0.0.1", front.port), timeout=10))
        connection.sendall(
            b"GET /ws/desk/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"X-Forwarded-For: " + person.encode() + b"\r\n\r\n"
        )
        first_lines.append(connection.recv(4096).split()[1])
    for connection in sockets:
        connection.close()
    assert first_lines == [b"101", b"101", b"429"]
