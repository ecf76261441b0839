"""Web apps of other origins (LECTERN_ALLOWED_ORIGINS), and what the browser may keep for us."""

from __future__ import annotations

from typing import Any

import pytest

from config.environment import _web_origin
from tests.conftest import Api

APP = "https://app.example.org"
EXPOSED = "Accept-Ranges, Content-Disposition, Content-Range, ETag, Retry-After, WWW-Authenticate, X-Request-ID"


@pytest.fixture
def with_apps(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [APP]


def cors(answer: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.items() if name.lower().startswith("access-control-")}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/api/v1/courses/", 200),
        ("get", "/api/v1/me/", 401),
        ("get", "/api/v1/nothing/", 404),
        ("delete", "/api/v1/courses/", 405),
        ("get", "/.well-known/jwks.json", 200),
    ],
)
def test_an_allowed_app_may_read_answers_and_refusals(
    with_apps: None, api: Api, method: str, path: str, status: int
) -> None:
    answer = getattr(api, method)(path, HTTP_ORIGIN=APP)
    assert answer.status_code == status
    assert cors(answer) == {"access-control-allow-origin": APP, "access-control-expose-headers": EXPOSED}
    assert "origin" in answer["Vary"].lower()


def test_a_body_that_is_too_large_is_refused_readably(with_apps: None, api: Api) -> None:
    answer = api.post("/api/v1/orders/", data="x" * (2**20 + 1), content_type="application/json", HTTP_ORIGIN=APP)
    assert (answer.status_code, cors(answer)["access-control-allow-origin"]) == (413, APP)


def test_its_preflight(with_apps: None, api: Api) -> None:
    asked = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST", "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": "idempotency-key"}
    answer = api.options("/api/v1/orders/", HTTP_ORIGIN=APP, **asked)
    assert answer.status_code == 200
    assert cors(answer) == {
        "access-control-allow-origin": APP,
        "access-control-allow-headers": "Authorization, Content-Type, Idempotency-Key, If-None-Match, If-Range, Range",
        "access-control-allow-methods": "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE",
        "access-control-expose-headers": EXPOSED,
        "access-control-max-age": "600",
    }


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{APP}.evil.example", "http://app.example.org", "*"]
)
def test_no_other_origin_may_read_anything(with_apps: None, api: Api, origin: str) -> None:
    asked = {"HTTP_ORIGIN": origin, "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "GET"}
    for answer in (api.get("/api/v1/courses/", HTTP_ORIGIN=origin), api.options("/api/v1/courses/", **asked)):
        assert cors(answer) == {}
        assert "origin" in answer["Vary"].lower()


def test_the_admin_site_is_for_no_other_origin(with_apps: None, api: Api) -> None:
    assert cors(api.get("/admin/login/", HTTP_ORIGIN=APP)) == {}


def test_it_is_off_by_default(api: Api, settings: Any) -> None:
    assert settings.CORS_ALLOWED_ORIGINS == []
    assert cors(api.get("/api/v1/courses/", HTTP_ORIGIN=APP)) == {}


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://app.example.org", APP),
        ("HTTPS://App.example.org:443/", APP),
        ("http://localhost:5173", "http://localhost:5173"),
        ("http://[::1]:80", "http://[::1]"),
        *[
            (text, None)
            for text in (
                "*",
                "null",
                "app.example.org",
                "https://",
                "https://a/b",
                "https://u@a",
                "ws://a",
                "http://a:0",
            )
        ],
    ],
)
def test_an_origin_is_written_as_browsers_write_it(text: str, origin: str | None) -> None:
    assert _web_origin(text) == origin
