"""What nginx says itself can be read by web apps of the allowed origins, as the services' answers can (LECTERN_ALLOWED_ORIGINS)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

APP = "https://app.example.org"
CORS = ("access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers")
EXPOSED = "Accept-Ranges, Content-Disposition, Content-Range, ETag, Retry-After, WWW-Authenticate, X-Request-ID"


@pytest.fixture(scope="module")
def with_apps(make_front: Callable[..., Any]) -> Any:
    from deploy.embedded.postgres import free_port

    return make_front(
        LECTERN_ALLOWED_ORIGINS=f"{APP}, http://localhost:5173/",
        LECTERN_CHAT_UPSTREAM=f"127.0.0.1:{free_port()}",
        LECTERN_STREAM_UPSTREAM=f"127.0.0.1:{free_port()}",
        changes={"rate=5r/s": "rate=1r/m", "burst=40 delay=20": "burst=1 nodelay"},
    )


def cors(answer: Any) -> dict[str, str]:
    return {name: answer.headers[name] for name in CORS if name in answer.headers}


@pytest.mark.parametrize("origin", [APP, "http://localhost:5173"])
def test_an_allowed_app_can_read_why_it_was_refused(with_apps, origin: str) -> None:
    said = {"access-control-allow-origin": origin, "access-control-expose-headers": EXPOSED}
    headers = {"Origin": origin}
    away = with_apps.client.get("/chat/v1/tickets/", headers=headers)
    large = with_apps.client.post("/api/v1/orders/", content=b"x" * 300_000, headers=headers)
    nothing = with_apps.client.get("/nothing", headers=headers)
    fast = [with_apps.client.post("/api/v1/auth/token/", headers=headers) for _ in range(4)][-1]
    answers = {503: away, 413: large, 404: nothing, 429: fast}
    assert {answer.status_code: cors(answer) for answer in answers.values()} == dict.fromkeys(answers, said)
    assert {answer.headers.get_list("Vary") == ["Origin"] for answer in answers.values()} == {True}


@pytest.mark.parametrize(
    ("path", "cookies"),
    [
        ("/stream/v1/playback", True),
        ("/stream/v1/playback?x=1", True),
        ("/stream/v1/p/0190/master.m3u8", True),
        ("/stream/v1/playbacks", False),
        ("/stream/v1/lessons/0190/video", False),
        ("/chat/v1/tickets/?x=/stream/v1/playback", False),
    ],
)
def test_cookies_are_expected_only_where_a_playback_needs_them(with_apps, path: str, cookies: bool) -> None:
    answer = with_apps.client.get(path, headers={"Origin": APP})
    assert answer.status_code == 503
    assert cors(answer).get("access-control-allow-credentials") == ("true" if cookies else None)
    assert cors(with_apps.client.get(path)) == {}


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{APP}.evil.example", "http://app.example.org", "*", ""]
)
def test_no_other_origin_is_let_in(with_apps, origin: str) -> None:
    answer = with_apps.client.get("/stream/v1/playback", headers={"Origin": origin})
    assert cors(answer) == {}
    assert answer.headers["Vary"] == "Origin"


def test_it_is_off_where_no_origin_is_named(front) -> None:
    assert cors(front.client.get("/nothing", headers={"Origin": APP})) == {}


def test_a_services_own_answer_passes_as_it_is(with_apps, core) -> None:
    from stand_ins import Answer

    own = {"Access-Control-Allow-Origin": APP, "Access-Control-Expose-Headers": "X-Own", "Vary": "Origin"}
    core.answers["/api/v1/me/"] = Answer(403, own)
    answer = with_apps.client.get("/api/v1/me/", headers={"Origin": APP})
    assert {name: answer.headers.get_list(name) for name in own} == {name: [value] for name, value in own.items()}
