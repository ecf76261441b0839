"""What every answer of core-api has in common, and the pages that are nobody's domain."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import User
from config import api_pages, system
from config.client_address import ClientAddressMiddleware
from config.logs import RequestLogMiddleware
from tests.conftest import Api

PROBLEM = "application/problem+json"


def routes(resolver: URLResolver, prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            found.append((path, entry.callback))
        elif path != "admin/":  # the admin site asks for staff, on every page of its own
            found += routes(entry, path)
    return found


def labels(view: Any) -> set[str]:
    if hasattr(view, "permission_label"):
        return {view.permission_label}
    classes = getattr(getattr(view, "cls", None), "permission_classes", [])
    return {getattr(permission, "label", "nobody") for permission in classes} or {"nobody"}


@pytest.mark.parametrize(
    ("path", "view"), routes(get_resolver()), ids=lambda value: value if type(value) is str else ""
)
def test_every_route_says_who_may_use_it(path: str, view: Any) -> None:
    assert "nobody" not in labels(view), f"{path} declares no permission"


def test_every_route_of_the_api_stands_in_the_document(db: None) -> None:
    documented = json.loads(Client().get("/api/schema/").content)["paths"]
    for path, view in routes(get_resolver()):
        if path.startswith(("api/v1/", ".well-known/")):
            plain = "/" + "".join("{" if c == "<" else "}" if c == ">" else c for c in path)
            assert any(same(plain, candidate) for candidate in documented), plain
            assert view.cls  # a DRF view


def test_who_asks_for_the_document_at_once_waits_for_one_to_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """drf-spectacular breaks where two threads generate at once: of three people who came first, one got a 500."""
    both_inside = Barrier(2)
    met = []

    class Generator:
        def get_schema(self, **_: object) -> dict[str, Any]:
            try:
                both_inside.wait(timeout=0.5)
                met.append(True)
            except BrokenBarrierError:
                both_inside.reset()
            return {"paths": {}}

    monkeypatch.setattr(api_pages, "SchemaGenerator", Generator)
    for made_once in (True, False):  # as it is served, and as developers see it
        monkeypatch.setattr(settings, "DEBUG", not made_once)
        monkeypatch.setattr(api_pages, "_generated_once", cache(api_pages._generate))
        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(lambda _: api_pages.schema(RequestFactory().get("/")).content, range(3)))
        assert answers == [b'{"paths": {}}'] * 3
    assert not met


def same(route: str, documented: str) -> bool:
    def parts(path: str) -> list[str]:
        return ["{}" if part.startswith("{") else part for part in path.split("/")]

    return parts(route) == parts(documented)


def test_the_document_is_made_without_a_warning(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    from drf_spectacular.drainage import GENERATOR_STATS
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.validation import validate_schema

    GENERATOR_STATS.reset()
    document = SchemaGenerator().get_schema(request=None, public=True)
    assert not GENERATOR_STATS, capsys.readouterr().err
    validate_schema(document)
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert all(operation["x-permission"] for operation in operations)
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    assert document["components"]["securitySchemes"]["Bearer"]["scheme"] == "bearer"


@pytest.mark.parametrize("path", ["/api/v1/nothing/", "/api/v1/me", "/api/nothing", "/.well-known/nothing", "/nothing"])
def test_what_is_not_there_is_a_problem(db: None, path: str) -> None:
    answer = Client().post(path, b"{}", content_type="application/json")
    assert (answer.status_code, answer["Content-Type"], answer.json()["code"]) == (404, PROBLEM, "not_found")


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def both(client: Client, path: str, **asked: Any) -> tuple[int, str, str]:
    """The status, what a person reads on the page, and the code that an app is told."""
    page = client.get(path, headers={"accept": BROWSER} | asked)
    told = client.get(path, headers={"accept": "*/*"} | asked)
    assert (page["Content-Type"], told["Content-Type"]) == ("text/html; charset=utf-8", PROBLEM)
    assert (page.status_code, page["Cache-Control"]) == (told.status_code, "no-store")
    assert "default-src 'none'" in page["Content-Security-Policy"]
    return page.status_code, page.content.decode(), told.json()["code"]


def test_people_get_a_page_where_an_app_gets_a_problem(root: User, ines: User) -> None:
    client = Client()
    client.force_login(ines)
    status, page, code = both(client, "/admin/nothing/")
    assert (status, code) == (404, "not_found")
    assert "There is nothing here" in page
    assert 'href="/admin/"' in page
    status, page, code = both(client, "/admin/accounts/user/")
    assert (status, code) == (403, "permission_denied")
    assert "You do not have the permission that this needs." in page
    status, page, _ = both(client, "/account/nothing/")
    assert status == 404
    assert 'href="/"' in page
    assert client.get("/api/v1/nothing/", headers={"accept": BROWSER})["Content-Type"] == PROBLEM


def test_who_comes_by_another_name_is_told_the_address(db: None) -> None:
    status, page, code = both(Client(), "/admin/login/", host="another.example.org")
    assert (status, code) == (400, "malformed")
    assert "it is at http://127.0.0.1:8000." in page


def test_a_form_that_is_too_old_is_refused_in_words(root: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(root)
    page = client.post("/admin/logout/", headers={"accept": BROWSER})
    assert (page.status_code, page["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert "Open its page again, and send it anew." in page.content.decode()


@pytest.mark.parametrize("path", ["/admin/", "/certificates/AAAA-BBBB-CCCC/"])
def test_without_the_database_pages_are_not_available_now(
    root: User, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(root)

    def fail(*_: object) -> None:
        raise OperationalError("the connection is closed: a secret detail")

    with monkeypatch.context() as patched:
        patched.setattr(connection, "cursor", fail)
        status, page, code = both(client, path)
    assert (status, code) == (503, "unavailable")
    assert "Try again shortly." in page
    assert "secret detail" not in page


def test_a_wrong_method_is_a_problem(api: Api) -> None:
    answer = api.delete("/api/v1/auth/token/")
    assert (answer.status_code, answer["Content-Type"], answer.json()["code"]) == (405, PROBLEM, "method_not_allowed")
    assert answer["Allow"] == "POST, OPTIONS"


def test_no_token_is_a_problem_in_the_shared_words(api: Api) -> None:
    answer = api.get("/api/v1/me/")
    assert (answer.status_code, answer["Content-Type"], answer["WWW-Authenticate"]) == (401, PROBLEM, "Bearer")
    assert answer.json() == {
        "type": "urn:lectern:problem:not_authenticated",
        "title": "Not authenticated",
        "status": 401,
        "code": "not_authenticated",
        "detail": 'Send an access token in the header "Authorization: Bearer …".',
    }


def test_a_fault_is_a_problem_without_a_trace(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from accounts import keys

    def fail() -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(keys, "public_jwks", fail)
    answer = Client(raise_request_exception=False).get("/.well-known/jwks.json")
    assert (answer.status_code, answer["Content-Type"], answer.json()["code"]) == (500, PROBLEM, "internal_error")
    assert b"secret detail" not in answer.content


def test_a_database_that_is_away_is_503(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from accounts import keys

    def fail() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(keys, "public_jwks", fail)
    answer = Client().get("/.well-known/jwks.json")
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "unavailable", "1")


def test_an_unknown_host_is_refused(db: None) -> None:
    answer = Client().get("/.well-known/jwks.json", headers={"Host": "evil.example"})
    assert (answer.status_code, answer["Content-Type"], answer.json()["code"]) == (400, PROBLEM, "malformed")


@pytest.mark.parametrize(
    ("kind", "size", "status"), [("application/json", 2**20 + 1, 413), ("application/json", 9, 422)]
)
def test_a_body_may_only_be_so_large(api: Api, kind: str, size: int, status: int) -> None:
    body = json.dumps("x" * (size - 2)).encode()
    answer = api.post("/api/v1/auth/token/", data=body, content_type=kind)
    assert answer.status_code == status
    if status == 413:
        assert (answer["Content-Type"], answer.json()["code"]) == (PROBLEM, "too_large")


def test_a_form_where_json_is_due_is_malformed(api: Api) -> None:
    answer = api.post("/api/v1/auth/token/", {"username": "alice"}, format="multipart")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_a_body_that_is_nested_too_deep_to_be_read_is_malformed(api: Api) -> None:
    answer = api.post("/api/v1/auth/token/", data=b"[" * 20_000, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),  # the first was made up by the client
        ("10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("", "198.51.100.7", ""),
    ],
)
def test_only_trusted_proxies_say_who_the_client_is(settings: Any, peer: str, forwarded: str, seen: str) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    request = RequestFactory().get(
        "/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded, HTTP_X_FORWARDED_PROTO="https"
    )
    ClientAddressMiddleware(lambda _request: None)(request)  # type: ignore[arg-type, return-value]
    assert request.META["REMOTE_ADDR"] == seen
    assert request.is_secure() == peer.startswith("10.")


def test_health_and_readiness(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Client().get("/healthz").content == b"ok\n"
    system._require_migrations.cache_clear()
    assert Client().get("/readyz").status_code == 200

    def away() -> None:
        raise OperationalError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", away)
        answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_a_database_without_a_migration_is_not_ready(db: None) -> None:
    with connection.cursor() as cursor:
        newest = "SELECT max(name) FROM django_migrations WHERE app = 'accounts'"
        cursor.execute(f"DELETE FROM django_migrations WHERE app = 'accounts' AND name = ({newest})")
    system._require_migrations.cache_clear()
    answer = Client().get("/readyz")
    assert (answer.status_code, "migrate" in answer.json()["detail"]) == (503, True)
    system._require_migrations.cache_clear()


def test_metrics_count_by_route_and_not_by_path(api: Api, alice: User) -> None:
    api.as_(alice).get("/api/v1/me/")
    api.get("/made/up/by/a/client")
    text = Client().get("/metrics").content.decode()
    assert 'lectern_http_requests_total{method="GET",route="api/v1/me/",status="200"}' in text
    assert "made/up" not in text


def test_a_requests_line_names_no_secret(db: None, api: Api, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    from config import logs

    lines: list[dict[str, Any]] = []

    class Recorder:
        def info(self, event: str, **fields: Any) -> None:
            lines.append({"event": event, **fields})

    monkeypatch.setattr(logs, "log", Recorder())
    client = api.as_(alice)
    client.get("/api/v1/me/?token=secret-token", HTTP_X_REQUEST_ID="abc")
    Client().get("/healthz")
    (line,) = lines
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/v1/me/", 200)
    assert line["user"] == str(alice.pk)
    assert "secret-token" not in str(lines)
    assert RequestLogMiddleware


@pytest.mark.parametrize("page", ["/api/schema/swagger-ui/", "/api/schema/redoc/", "/api/schema/redoc/?service=chat"])
def test_the_documentation_pages_load_nothing_from_elsewhere(db: None, page: str) -> None:
    answer = Client().get(page)
    policy = answer["Content-Security-Policy"]
    directives = {part.split()[0]: part.split()[1:] for part in policy.split("; ")}
    assert directives["script-src"] == ["'self'"]
    assert sorted(directives["style-src"]) == ["'self'", "'unsafe-inline'"]
    assert directives["worker-src"] == ["blob:"]
    text = answer.content.decode()
    assert "//" not in text.replace("<!DOCTYPE html>", "")
    assert "<script>" not in text
    assert "<style" not in text


def test_swagger_ui_offers_all_three_documents_and_redoc_each(db: None) -> None:
    text = Client().get("/api/schema/swagger-ui/").content.decode()
    for url in ("/api/schema/", "/stream/v1/openapi.json", "/chat/v1/openapi.json"):
        assert url in text
    assert 'data-url="/stream/v1/openapi.json"' in Client().get("/api/schema/redoc/?service=stream").content.decode()
    assert 'data-url="/api/schema/"' in Client().get("/api/schema/redoc/?service=made-up").content.decode()
