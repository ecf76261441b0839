"""What the service says about itself: its OpenAPI document, problems, log lines, figures."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import Client, Open, code
from fastapi.routing import APIRoute
from world import Lesson, Person

from stream_gateway import logs
from stream_gateway.app import create_app


def routes(client: Client) -> list[APIRoute]:
    """Every route that the application answers, also those inside included routers."""
    found: list[APIRoute] = []
    waiting: list[Any] = list(create_app(client.gateway).routes)
    while waiting:
        route = waiting.pop()
        nested = getattr(getattr(route, "original_router", None), "routes", None)
        if nested is not None:
            waiting += nested
        else:
            assert isinstance(route, APIRoute), f"{route} declares no permission"
            found.append(route)
    return found


async def test_every_route_declares_its_permission_and_is_documented(client: Client) -> None:
    document = (await client.get("/stream/v1/openapi.json")).json()
    assert len(routes(client)) > 8
    for route in routes(client):
        for method in route.methods:
            if "internal network" in str(route.openapi_extra):
                continue  # nginx does not route it: no client has a use for its description
            operation = document["paths"][route.path.replace(":path", "")][method.lower()]
            assert operation["x-permission"] in (
                "public",
                "internal network",
                "authenticated",
                "authenticated, or nobody for a free preview",
                "courses.manage or courses.manage_all",
                "playback cookie or authenticated",
                "download cookie, authenticated, or nobody for a free preview",
            )


async def test_every_refusal_is_documented_as_a_problem(client: Client) -> None:
    document = (await client.get("/stream/v1/openapi.json")).json()
    assert "HTTPValidationError" not in json.dumps(document)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            refused = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
            if operation["x-permission"] not in ("public", "internal network"):
                assert {"401", "404", "503"} <= set(refused), path
                assert operation["security"]
            for answer in refused.values():
                schema = answer["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}
    assert document["components"]["schemas"]["Problem"]["required"] == ["type", "title", "status", "code", "detail"]


@pytest.mark.parametrize(
    ("body", "expected", "fields"),
    [
        (b"{", (400, "malformed"), None),
        (b"", (422, "invalid"), {"body"}),
        (b"[]", (422, "invalid"), {"body"}),
        (b"{}", (422, "invalid"), {"lesson"}),
        (b'{"lesson": 7}', (422, "invalid"), {"lesson"}),
        (b'{"lesson": "one"}', (422, "invalid"), {"lesson"}),
        (b'{"lesson": "' + b"x" * 20_000 + b'"}', (413, "too_large"), None),
    ],
)
async def test_bad_bodies(
    client: Client, alice: Person, body: bytes, expected: tuple[int, str], fields: set[str] | None
) -> None:
    headers = {"Content-Type": "application/json", **alice.bearer}
    answer = await client.post("/stream/v1/playback", content=body, headers=headers)
    assert code(answer) == expected
    assert (set(answer.json()["errors"]) if fields else None) == fields


async def test_addresses_and_methods_that_are_none(client: Client) -> None:
    assert code(await client.get("/stream/v1/nothing")) == (404, "not_found")
    assert code(await client.get("/docs")) == (404, "not_found")
    assert code(await client.get("/stream/v1/playback/")) == (404, "not_found")
    answer = await client.get("/stream/v1/playback")
    assert code(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


async def test_an_error_nobody_expected_is_a_problem_and_a_log_line(
    client: Client, alice: Person, lesson: Lesson, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started = await client.start(alice, lesson)
    monkeypatch.setattr(client.gateway.storage, "text", None)
    logs.configure("info")  # to the captured stdout
    answer = await client.get(started["manifest_url"], headers={"X-Request-ID": "0123456789abcdef"})
    assert code(answer) == (500, "internal_error")
    assert answer.headers["x-request-id"] == "0123456789abcdef"
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    unhandled = next(line for line in lines if line["event"] == "unhandled")
    assert "TypeError" in unhandled["exception"]
    assert unhandled["request_id"] == "0123456789abcdef"


async def test_a_requests_log_line(
    client: Client, alice: Person, lesson: Lesson, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("info")
    started = await client.start(alice, lesson)
    await client.get(started["manifest_url"] + f"?token={alice.token()}")
    await client.get("/healthz")
    said = capsys.readouterr().out
    assert client.cookies["lectern_playback"] not in said
    for secret in ("eyJ", "token"):
        assert secret not in "".join(line for line in said.splitlines() if '"event": "request"' in line)
    lines = [line for line in map(json.loads, said.splitlines()) if line["event"] == "request"]
    assert [(line["method"], line["path"], line["status"], line["user"]) for line in lines] == [
        ("POST", "/stream/v1/playback", 201, str(alice.id)),
        ("GET", started["manifest_url"], 200, str(alice.id)),
    ]
    for line in lines:
        assert line["service"] == "stream-gateway"
        assert line["timestamp"].endswith("Z")
        assert line["level"] == "info"
        assert line["duration_ms"] >= 0
        assert len(line["request_id"]) == 32


@pytest.mark.parametrize("forged", ["short", "x" * 65, 'a"b\\c{}<>', "12345678\t"])
async def test_a_request_id_that_is_none_is_replaced(client: Client, forged: str) -> None:
    answer = await client.get("/healthz", headers={"X-Request-ID": forged})
    assert answer.headers["x-request-id"] != forged


async def test_figures(client: Client, alice: Person, lesson: Lesson) -> None:
    started = await client.start(alice, lesson)
    await client.get(started["manifest_url"])
    text = (await client.get("/metrics")).text
    assert 'lectern_stream_playback_started_total{kind="hls"}' in text
    assert 'lectern_stream_decisions_total{verdict="yes"}' in text
    assert 'route="/stream/v1/p/{playback}/{file:path}"' in text
    assert str(alice.id) not in text


def cors(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


APP = {"Origin": "https://app.lectern.test"}
EXPOSED = "Accept-Ranges, Content-Disposition, Content-Range, ETag, Retry-After, WWW-Authenticate, X-Request-ID"


async def test_a_web_app_on_an_allowed_origin(open_gateway: Open, alice: Person, lesson: Lesson) -> None:
    """It may read answers and refusals; cookies are expected only where a playback has its own."""
    said = {"access-control-allow-origin": APP["Origin"], "access-control-expose-headers": EXPOSED}
    with_cookies = said | {"access-control-allow-credentials": "true"}
    async with open_gateway(LECTERN_ALLOWED_ORIGINS="HTTPS://app.lectern.test:443/") as client:
        started = await client.post_playback(lesson, alice, **APP)
        assert cors(started) == with_cookies
        assert "Origin" in started.headers["vary"]
        assert cors(await client.get(started.json()["manifest_url"], headers=APP)) == with_cookies
        assert cors(await client.post("/stream/v1/playback", headers=APP, json={})) == with_cookies
        assert cors(await client.get(f"/stream/v1/lessons/{lesson.id}/video", headers=APP)) == said
        assert cors(await client.get("/stream/v1/nothing", headers=APP)) == said


async def test_its_preflight(open_gateway: Open) -> None:
    asked = APP | {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization,if-range,range",
    }
    async with open_gateway(LECTERN_ALLOWED_ORIGINS="https://app.lectern.test") as client:
        answer = await client.options("/stream/v1/p/x/progressive.mp4", headers=asked)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == APP["Origin"]
        allowed = {"Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "If-Range", "Range"}
        assert allowed <= set(answer.headers["access-control-allow-headers"].split(", "))


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://app.lectern.test"])
async def test_no_other_origin_may_read_anything(
    open_gateway: Open, alice: Person, lesson: Lesson, origin: str
) -> None:
    async with open_gateway(LECTERN_ALLOWED_ORIGINS="https://app.lectern.test") as client:
        answer = await client.post_playback(lesson, alice, Origin=origin)
        assert (answer.status_code, cors(answer), answer.headers["vary"]) == (201, {}, "Origin")
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        assert cors(await client.options("/stream/v1/playback", headers=asked)) == {}


async def test_where_no_origin_is_named_none_is_let_in(client: Client, alice: Person, lesson: Lesson) -> None:
    assert cors(await client.post_playback(lesson, alice, **APP)) == {}
