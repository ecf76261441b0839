"""A person's rights, across all three services: everything that is held about them, and that all of it goes."""

from __future__ import annotations

import io
import json
from typing import Any
from zipfile import ZipFile

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from e2e.people import Person, wait_for

FIRST, SECOND = "I live at 12 Long Lane.", "And I am often ill."


def test_a_person_takes_everything_and_goes(
    alice: Person, agent: Person, admin: Person, course: dict[str, Any], lesson: dict[str, Any]
) -> None:
    alice.buy_credit()
    order = alice.buy(course["slug"])
    playback = alice.post("/stream/v1/playback", {"lesson": lesson["id"]}, expect=201).json()
    alice.get(playback["manifest_url"])
    ticket = alice.open_ticket(FIRST)
    alice.post(f"/chat/v1/tickets/{ticket['id']}/messages/", {"message": SECOND}, expect=201)
    me = alice.get("/api/v1/me/").json()
    held = exported(alice)

    assert held["profile.json"][0]["email"] == me["email"]
    assert held["order_lines.json"][0]["order_id"] == order["id"]
    assert [posting["kind"] for posting in held["postings.json"]] == ["topup", "purchase"]
    assert [enrolment["course"] for enrolment in held["enrolments.json"]] == [course["slug"]]
    assert [session["playback_id"] for session in held["stream/playback_sessions.json"]] == [playback["playback"]]
    assert [message["message"] for message in held["chat/messages.json"]][:2] == [FIRST, SECOND]
    assert held["manifest.json"]["missing"] == []

    with alice.chat(ticket["id"], query="&since=0") as socket:
        socket.recv(timeout=10)
        body = {"current_password": alice.password}
        assert alice.delete("/api/v1/me/", body, expect=409).json()["code"] == "credit_left"
        alice.delete("/api/v1/me/", body | {"forfeit_credit": True}, expect=204)
        is_refused_everywhere(alice, playback)
        assert close_code(socket) == 4401
    alice.post("/api/v1/auth/token/", {"username": alice.username, "password": alice.password}, expect=401)
    alice.post("/api/v1/auth/token/refresh/", {"refresh": alice.refresh}, expect=401)

    seen = wait_for(
        lambda: agent.get(f"/chat/v1/tickets/{ticket['id']}/").json(), lambda it: it["subject"] == "", seconds=5
    )
    assert seen["state"] == "closed"
    assert seen["learner"].startswith("erased-")
    messages = agent.get(f"/chat/v1/tickets/{ticket['id']}/messages/").json()["results"]
    assert {message["message"] for message in messages} == {""}
    assert alice.username not in json.dumps(messages)
    wallet = admin.get(f"/api/v1/wallets/{me['id']}/").json()
    assert wallet["balance"] == 0


def exported(person: Person) -> dict[str, Any]:
    answer = person.get("/api/v1/me/export/")
    assert answer.headers["content-disposition"].startswith("attachment")
    with ZipFile(io.BytesIO(answer.content)) as archive:
        return {name: json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json")}


def close_code(socket: ClientConnection) -> int | None:
    """Reads until the server closes, which it must do soon."""
    try:
        while True:
            socket.recv(timeout=1)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def is_refused_everywhere(person: Person, playback: dict[str, Any]) -> None:
    for path in ("/api/v1/me/", playback["manifest_url"], "/chat/v1/tickets/"):
        wait_for(lambda path=path: person.http.get(path).status_code, lambda status: status in (401, 403), seconds=1)
