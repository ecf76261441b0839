"""Bad input, strangers and things that must not be seen."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from e2e.people import Person

PROTECTED = ["/api/v1/me/", "/chat/v1/tickets/", "/stream/v1/lessons/{lesson}/video"]


def test_a_long_body_that_is_refused_unread_is_answered_all_the_same(base_url: str) -> None:
    article = {"body": "a" * 200_000}
    answers = [httpx.patch(f"{base_url}/api/v1/lessons/{uuid.uuid4()}/", json=article).status_code for _ in range(40)]
    assert answers == [401] * 40


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(base_url: str, algorithm: str) -> str:
    """A token for nobody in particular: unsigned, or signed by HMAC with the public key as if it were a secret."""
    jwk = httpx.get(f"{base_url}/.well-known/jwks.json").json()["keys"][0]
    now = int(time.time())
    header = {"alg": algorithm, "typ": "JWT", "kid": jwk["kid"]}
    claims = {
        "iss": "lectern",
        "aud": "lectern",
        "sub": str(uuid.uuid4()),
        "username": "root",
        "gen": 0,
        "typ": "access",
    }
    claims |= {"sid": str(uuid.uuid4()), "jti": "x", "iat": now, "exp": now + 600}
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    key = base64.urlsafe_b64decode(jwk["n"] + "==")
    signature = b64(hmac.digest(key, signed.encode(), hashlib.sha256)) if algorithm == "HS256" else ""
    return f"{signed}.{signature}"


@pytest.mark.parametrize("kind", ["none", "HS256", "refresh", "garbage", "changed"])
def test_a_bad_token_gets_the_same_refusal_everywhere(kind: str, alice: Person, lesson: dict[str, Any]) -> None:
    changed = alice.access[:-20] + ("A" * 20)
    token = {"refresh": alice.refresh, "garbage": "a.b.c", "changed": changed}.get(kind) or forge(alice.base_url, kind)
    refusals = [refused(alice.base_url + path.format(lesson=lesson["id"]), token) for path in PROTECTED]
    assert refusals[0]["code"] == "token_invalid"
    assert refusals[0] == refusals[1] == refusals[2]


def test_no_token_gets_the_same_refusal_everywhere(base_url: str, lesson: dict[str, Any]) -> None:
    refusals = [refused(base_url + path.format(lesson=lesson["id"])) for path in PROTECTED]
    assert refusals[0]["code"] == "not_authenticated"
    assert refusals[0] == refusals[1] == refusals[2]


def refused(url: str, token: str | None = None) -> dict[str, Any]:
    answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    assert answer.status_code == 401, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    body: dict[str, Any] = answer.json()
    return body


def test_a_lesson_that_was_not_bought(alice: Person, lesson: dict[str, Any]) -> None:
    assert alice.post("/stream/v1/playback", {"lesson": lesson["id"]}, expect=403).json()["code"] == "not_enrolled"
    assert alice.get(f"/api/v1/lessons/{lesson['id']}/", expect=403).json()["code"] == "not_enrolled"
    alice.get(f"/stream/v1/lessons/{lesson['id']}/video", expect=403)


def test_made_up_ids(alice: Person) -> None:
    nothing = uuid.uuid4()
    alice.post("/stream/v1/playback", {"lesson": str(nothing)}, expect=404)
    for path in ("/api/v1/lessons/{}/", "/api/v1/orders/{}/", "/chat/v1/tickets/{}/", "/stream/v1/p/{}/master.m3u8"):
        assert alice.get(path.format(nothing), expect=404).json()["code"] == "not_found"


@pytest.mark.parametrize(
    "path",
    ["/_media/", "/_media/packages/", "/_media../", "/%5fmedia/", "/_attachments/x", "/metrics", "/readyz", "/nothing"],
)
def test_what_is_internal_stays_inside(base_url: str, path: str) -> None:
    answer = httpx.get(base_url + path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_a_copied_address_is_worthless(
    alice: Person, bob: Person, course: dict[str, Any], lesson: dict[str, Any]
) -> None:
    alice.buy_credit()
    alice.buy(course["slug"])
    playback = alice.post("/stream/v1/playback", {"lesson": lesson["id"]}, expect=201).json()
    assert httpx.get(alice.base_url + playback["manifest_url"]).status_code == 401
    bob.get(playback["manifest_url"], expect=404)
    alice.get(playback["manifest_url"], expect=200)


def test_a_stranger_is_kept_out_of_a_ticket(alice: Person, bob: Person) -> None:
    ticket = alice.open_ticket()
    bob.get(f"/chat/v1/tickets/{ticket['id']}/", expect=404)
    for number in (ticket["id"], str(uuid.uuid4())):
        with bob.chat(number) as socket, pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4403


def test_a_malformed_frame_leaves_the_socket_open(alice: Person) -> None:
    ticket = alice.open_ticket("Hello")
    with alice.chat(ticket["id"], protocol="chat.v1") as socket:
        socket.send("{not json")
        assert json.loads(socket.recv(timeout=10))["type"] == "error"
        socket.send(json.dumps({"type": "ping"}))
        assert json.loads(socket.recv(timeout=10))["type"] == "pong"


def test_logins_are_limited(base_url: str) -> None:
    with httpx.Client(base_url=base_url, timeout=30) as http, ThreadPoolExecutor(80) as crowd:
        answers = list(crowd.map(lambda _: http.post("/api/v1/auth/token/", content=b"{"), range(80)))
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited, "80 requests at once were all let through"
    assert limited[0].json()["code"] == "too_many_requests"
    assert int(limited[0].headers["retry-after"]) >= 1


def test_every_answer_has_a_request_id_that_nginx_made(base_url: str) -> None:
    answer = httpx.get(f"{base_url}/api/v1/courses/", headers={"X-Request-ID": "mine"})
    assert len(answer.headers["x-request-id"]) == 32
    assert answer.headers["x-content-type-options"] == "nosniff"
