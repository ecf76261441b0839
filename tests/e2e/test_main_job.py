"""The main job, whole: register, log in, buy credit, buy a course, watch it, ask for help, be answered."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from e2e import hls
from e2e.people import Person, wait_for

FRAME = 1 / 25  # seconds, of the demo's videos


def test_a_newcomer_buys_watches_and_is_helped(
    alice: Person, agent: Person, course: dict[str, Any], lesson: dict[str, Any]
) -> None:
    # Nothing without credit, and the refusal says what is missing.
    refusal = alice.buy(course["slug"], expect=402)
    assert refusal["code"] == "insufficient_credit"
    alice.get(f"/api/v1/lessons/{lesson['id']}/", expect=403)

    # Credit arrives once, although the sandbox sends its webhook three times.
    credits = alice.buy_credit()
    assert alice.get("/api/v1/wallet/").json()["balance"] == credits

    order = alice.buy(course["slug"])
    assert order["price"] == course["price"]
    assert order["balance"] == credits - course["price"]
    kinds = [movement["kind"] for movement in alice.get("/api/v1/wallet/transactions/").json()["results"]]
    assert kinds == ["purchase", "topup"]
    assert alice.get(f"/api/v1/lessons/{lesson['id']}/").json()["video"]["playable"]

    watch_every_rendition(alice, lesson)
    talk_with_the_agent(alice, agent)


def watch_every_rendition(person: Person, lesson: dict[str, Any]) -> None:
    playback = person.post("/stream/v1/playback", {"lesson": lesson["id"]}, expect=201)
    manifest_url = person.base_url + playback.json()["manifest_url"]
    cookie = "; ".join(f"{name}={value}" for name, value in playback.cookies.items())
    master = httpx.get(manifest_url, headers={"Cookie": cookie})
    assert master.headers["content-type"] == "application/vnd.apple.mpegurl"
    renditions = hls.variants(master.text)
    assert renditions
    for rendition in renditions:
        assert hls.play(manifest_url.replace("master.m3u8", rendition), cookie) == pytest.approx(
            lesson["duration_s"], abs=FRAME
        )
    assert hls.play(manifest_url, cookie, "0:a:0") == pytest.approx(lesson["duration_s"], abs=2 * FRAME)
    languages = {caption["language"] for caption in playback.json()["captions"]}
    assert languages == {"en", "de"}
    for caption in playback.json()["captions"]:
        text = httpx.get(person.base_url + caption["url"], headers={"Cookie": cookie})
        assert text.text.startswith("WEBVTT")
    poster = httpx.get(person.base_url + playback.json()["poster_url"], headers={"Cookie": cookie})
    assert poster.headers["content-type"] == "image/jpeg"
    progressive = httpx.get(
        f"{person.base_url}/stream/v1/lessons/{lesson['id']}/video",
        headers={"Authorization": f"Bearer {person.access}", "Range": "bytes=0-1023"},
    )
    assert (progressive.status_code, len(progressive.content)) == (206, 1024)


def talk_with_the_agent(learner: Person, agent: Person) -> None:
    ticket = learner.open_ticket("Hello, the sound is missing.")
    assigned = wait_for(lambda: agent.get(f"/chat/v1/tickets/{ticket['id']}/").json(), lambda it: it["state"] == "open")
    assert assigned["assignee"] == agent.username
    with learner.chat(ticket["id"], query="&since=0") as hers, agent.chat(ticket["id"], protocol="chat.v1") as theirs:
        assert json.loads(hers.recv(timeout=10))["message"] == "Hello, the sound is missing."
        theirs.send(json.dumps({"type": "hello", "since": 0}))
        assert frame(theirs, "welcome")["head_seq"] == 1
        assert frame(theirs, "message")["message"] == "Hello, the sound is missing."

        client_id = str(uuid.uuid4())
        theirs.send(json.dumps({"type": "message", "client_id": client_id, "message": "Which lesson is it?"}))
        assert frame(theirs, "ack") == {"type": "ack", "client_id": client_id, "seq": 2}
        heard = json.loads(hers.recv(timeout=10))
        assert (heard["message"], heard["sender"], heard["seq"]) == ("Which lesson is it?", agent.username, 2)

        hers.send(json.dumps({"message": "The second one."}))
        answer = wait_for_message(theirs, 3)
        assert (answer["message"], answer["sender"]) == ("The second one.", learner.username)
    kept = learner.get(f"/chat/v1/tickets/{ticket['id']}/messages/").json()
    messages = kept["results"] if isinstance(kept, dict) else kept
    assert [message["seq"] for message in messages] == [1, 2, 3]
    learner.post(f"/chat/v1/tickets/{ticket['id']}/close/", expect=200)


def frame(socket: Any, kind: str) -> dict[str, Any]:
    """The next frame of that kind; others in between are passed over."""
    for _ in range(20):
        received: dict[str, Any] = json.loads(socket.recv(timeout=10))
        if received["type"] == kind:
            return received
    raise AssertionError(f"no {kind} frame came")


def wait_for_message(socket: Any, seq: int) -> dict[str, Any]:
    while (received := frame(socket, "message"))["seq"] < seq:
        pass
    return received


def test_buying_twice_makes_one_order(alice: Person, course: dict[str, Any]) -> None:
    alice.buy_credit("medium")
    key = str(uuid.uuid4())
    first = alice.buy(course["slug"], key=key)
    assert alice.buy(course["slug"], key=key) == first
    assert alice.buy(course["slug"], expect=409)["code"] == "already_enrolled"
    assert alice.get("/api/v1/orders/").json()["count"] == 1


def test_a_refund_stops_the_next_segment(
    alice: Person, admin: Person, course: dict[str, Any], lesson: dict[str, Any]
) -> None:
    alice.buy_credit()
    order = alice.buy(course["slug"])
    playback = alice.post("/stream/v1/playback", {"lesson": lesson["id"]}, expect=201).json()
    rendition = hls.variants(alice.get(playback["manifest_url"]).text)[0]
    segments = playback["manifest_url"].replace("master.m3u8", rendition)
    alice.get(segments, expect=200)
    admin.post(f"/api/v1/orders/{order['id']}/refund/", {"reason": "Asked for"}, key=str(uuid.uuid4()), expect=200)
    refused = wait_for(lambda: alice.http.get(segments), lambda answer: answer.status_code != 200, seconds=1)
    assert (refused.status_code, refused.json()["code"]) == (403, "access_ended")
    assert alice.get("/api/v1/wallet/").json()["balance"] == order["balance"] + course["price"]


def test_a_learner_who_reconnects_sees_what_was_missed(alice: Person, agent: Person) -> None:
    ticket = alice.open_ticket("First")
    wait_for(lambda: agent.get(f"/chat/v1/tickets/{ticket['id']}/").json(), lambda it: it["state"] == "open")
    for text in ("Second", "Third"):
        agent.post(f"/chat/v1/tickets/{ticket['id']}/messages/", {"message": text}, expect=201)
    with alice.chat(ticket["id"], query="&since=1") as socket:
        assert [json.loads(socket.recv(timeout=10))["message"] for _ in range(2)] == ["Second", "Third"]
    alice.post(f"/chat/v1/tickets/{ticket['id']}/close/", expect=200)


def test_an_outdated_price_is_refused(alice: Person, course: dict[str, Any], register: Callable[[], Person]) -> None:
    alice.buy_credit()
    body = {"course": course["slug"], "expected_price": course["price"] + 1}
    answer = alice.post("/api/v1/orders/", body, key=str(uuid.uuid4()), expect=409).json()
    assert answer["code"] == "price_changed"
    assert alice.get("/api/v1/orders/").json()["count"] == 0
