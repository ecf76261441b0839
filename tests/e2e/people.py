"""People who use Lectern over HTTP and WebSocket, as their apps would."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import httpx
from websockets.sync.client import ClientConnection, connect

from deploy.embedded.waiting import looks

T = TypeVar("T")


class Person:
    """Somebody with an account, and what the last answer to them was."""

    def __init__(self, base_url: str, username: str, password: str) -> None:
        self.base_url = base_url
        self.username = username
        self.password = password
        self.access = self.refresh = ""
        self.http = httpx.Client(base_url=base_url, timeout=30)

    def log_in(self) -> None:
        tokens = self.post(
            "/api/v1/auth/token/", {"username": self.username, "password": self.password}, expect=200
        ).json()
        self.access, self.refresh = tokens["access"], tokens["refresh"]
        self.http.headers["Authorization"] = f"Bearer {self.access}"

    def get(self, path: str, *, expect: int = 200, **options: Any) -> httpx.Response:
        return self._send("GET", path, expect, **options)

    def post(
        self, path: str, body: Any = None, *, key: str | None = None, expect: int, **options: Any
    ) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return self._send("POST", path, expect, json=body or {}, headers=headers, **options)

    def delete(self, path: str, body: Any, *, expect: int) -> httpx.Response:
        return self._send("DELETE", path, expect, json=body)

    def put(self, path: str, body: Any, *, expect: int) -> httpx.Response:
        return self._send("PUT", path, expect, json=body)

    def buy_credit(self, pack: str = "small") -> int:
        """Buys a pack through the sandbox's hosted page; answers the credits that arrived."""
        topup = self.post(
            "/api/v1/wallet/topups/", {"pack": pack, "provider": "sandbox"}, key=str(uuid.uuid4()), expect=201
        ).json()
        httpx.post(topup["checkout_url"], json={"outcome": "paid", "copies": 3}, timeout=30).raise_for_status()
        paid = wait_for(
            lambda: self.get(f"/api/v1/wallet/topups/{topup['id']}/").json(), lambda it: it["status"] == "paid"
        )
        credits: int = paid["credits"]
        return credits

    def buy(self, course: str, *, expect: int = 201, key: str | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = self.post(
            "/api/v1/orders/", {"course": course}, key=key or str(uuid.uuid4()), expect=expect
        ).json()
        return answer

    def open_ticket(self, message: str = "I cannot see the second lesson.") -> dict[str, Any]:
        category = self.get("/chat/v1/categories/").json()[0]["slug"]
        ticket: dict[str, Any] = self.post(
            "/chat/v1/tickets/", {"category": category, "subject": "Help", "message": message}, expect=201
        ).json()
        return ticket

    def chat(self, ticket: str, *, protocol: str | None = None, query: str = "") -> ClientConnection:
        address = self.base_url.replace("http", "ws", 1) + f"/ws/chat/{ticket}/?token={self.access}{query}"
        return connect(address, subprotocols=[protocol] if protocol else None, compression=None)  # type: ignore[list-item]  # a plain str is fine

    def close(self) -> None:
        self.http.close()

    def _send(self, method: str, path: str, expect: int, **options: Any) -> httpx.Response:
        answer = self.http.request(method, path, **options)
        while answer.status_code == 429 != expect:  # as an app does: wait as long as it is told, then try again
            time.sleep(int(answer.headers["Retry-After"]))
            answer = self.http.request(method, path, **options)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer


def newcomer(base_url: str) -> Person:
    """Somebody who registers now and logs in."""
    username = f"p{secrets.token_hex(6)}"
    person = Person(base_url, username, secrets.token_urlsafe(18))
    body = {"username": username, "email": f"{username}@example.org", "password": person.password}
    person.post("/api/v1/auth/register/", body, expect=201)
    person.log_in()
    return person


def wait_for(look: Callable[[], T], good: Callable[[T], bool], seconds: float = 20) -> T:
    """What `look` sees once it is `good`; fails after `seconds`."""
    for _ in looks(seconds, pause=0.1):
        seen = look()
        if good(seen):
            return seen
    raise AssertionError(f"still {seen!r} after {seconds} s")
