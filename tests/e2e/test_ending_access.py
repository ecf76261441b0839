"""Whoever is put out is out of all three services within a second: 50 requests at once and two open sockets find no gap."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from e2e.people import Person

AT_ONCE = 50
WITHIN_S = 1.0
PATHS = (
    "/api/v1/me/",
    "/chat/v1/tickets/",
    "/stream/v1/lessons/{lesson}/video",
    "/api/v1/wallet/",
    "/chat/v1/categories/",
)


@pytest.fixture
def staff(base_url: str, accounts: dict[str, dict[str, str]]) -> Iterator[httpx.Client]:
    """The admin, logged in to the admin site."""
    with httpx.Client(base_url=base_url, timeout=30, follow_redirects=True) as site:
        login = "/admin/login/?next=/admin/"
        given = {key: accounts["admin"][key] for key in ("username", "password")}
        submit(site, login, fields(site.get(login).text) | given)
        yield site


def deactivate(person: Person, staff: httpx.Client) -> None:
    """With the admin site's action, which asks for a reason."""
    people = "/admin/accounts/user/"
    chosen = {"action": "deactivate", "_selected_action": person.get("/api/v1/me/").json()["id"]}
    question = submit(staff, people, fields(staff.get(people).text) | chosen)
    done = submit(staff, people, fields(question) | {"reason": "Asked for"})
    assert "is deactivated" in done


def log_out_everywhere(person: Person, staff: httpx.Client) -> None:
    person.post("/api/v1/auth/logout-everywhere/", expect=204)


def log_out_here(person: Person, staff: httpx.Client) -> None:
    person.post("/api/v1/auth/logout/", {"refresh": person.refresh}, expect=204)


@pytest.mark.parametrize("put_out", [deactivate, log_out_everywhere, log_out_here])
def test_who_is_put_out_is_out_everywhere_within_a_second(
    alice: Person, lesson: dict[str, Any], staff: httpx.Client, put_out: Callable[[Person, httpx.Client], None]
) -> None:
    ticket = alice.open_ticket()["id"]
    paths = [path.format(lesson=lesson["id"]) for path in PATHS]
    with (
        ThreadPoolExecutor(AT_ONCE) as crowd,
        alice.chat(ticket) as plain,
        alice.chat(ticket, protocol="chat.v1") as typed,
    ):
        warm(alice, paths, plain, typed)
        put_out(alice, staff)
        began = time.monotonic()
        closing = [crowd.submit(closed_after, socket, began) for socket in (plain, typed)]
        asking = [crowd.submit(refused_after, alice, path, began) for path in paths * (AT_ONCE // len(paths))]
        late = {path: took for path, took in [each.result() for each in asking] if took > WITHIN_S}
        assert late == {}, "let through for longer than a second"
        for each in closing:
            code, took = each.result()
            assert (code, took < WITHIN_S) == (4401, True), f"closed with {code} after {took:.2f} s"
    with alice.chat(ticket) as socket, pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


def test_the_end_of_one_login_leaves_the_other(alice: Person, lesson: dict[str, Any]) -> None:
    phone = Person(alice.base_url, alice.username, alice.password)
    phone.log_in()
    alice.post("/api/v1/auth/logout/", {"refresh": alice.refresh}, expect=204)
    for path in (path.format(lesson=lesson["id"]) for path in PATHS):
        refused_after(alice, path, time.monotonic())
        assert phone.http.get(path).status_code in (200, 403), path
    phone.close()


def warm(person: Person, paths: list[str], *sockets: ClientConnection) -> None:
    """The gateways have said yes, so that they have something to forget."""
    for path in paths:
        assert person.http.get(path).status_code in (200, 403), path
    sockets[0].send(json.dumps({"message": "Hello"}))
    assert json.loads(sockets[0].recv(timeout=10))["message"]
    sockets[1].send(json.dumps({"type": "ping"}))
    assert json.loads(sockets[1].recv(timeout=10))["type"] == "pong"


def refused_after(person: Person, path: str, began: float) -> tuple[str, float]:
    """Asks on, as an app would that does not know, until it is 401; the path and the seconds since `began` when the
    last request that was let through had been sent."""
    last = 0.0
    with httpx.Client(base_url=person.base_url, timeout=30) as app:
        while True:
            sent = time.monotonic() - began
            status = app.get(path, headers={"Authorization": f"Bearer {person.access}"}).status_code
            if status == 401:
                return path, last
            assert status in (200, 403), f"{path}: {status}"
            assert sent < 10, f"{path} is still open"
            last = sent


def closed_after(socket: ClientConnection, began: float) -> tuple[int, float]:
    """The code that the server closes the socket with, and the seconds until then."""
    try:
        while True:
            socket.recv(timeout=10)  # what was said before it closed
    except ConnectionClosed as closed:
        return (closed.rcvd.code if closed.rcvd else 1006), time.monotonic() - began


def submit(site: httpx.Client, path: str, form: dict[str, str]) -> str:
    answer = site.post(path, data=form, headers={"Referer": f"{site.base_url}{path}"})
    assert answer.status_code == 200, answer.text[:500]
    return answer.text


def fields(page: str) -> dict[str, str]:
    """What a browser would send of the page's hidden inputs."""
    inputs = (dict(re.findall(r'(\w+)="([^"]*)"', tag)) for tag in re.findall(r'<input type="hidden"[^>]*>', page))
    return {field["name"]: field.get("value", "") for field in inputs}
