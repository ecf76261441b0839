"""What browsers are told about every page: what may run in it, who may frame it, and which cookies stay here."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.urls import get_resolver, reverse

from accounts.models import User
from tests import environment
from tests.config.test_http import routes
from tests.conftest import PASSWORD

STYLED_BY_THEMSELVES = {"/api/schema/swagger-ui/", "/api/schema/redoc/"}  # config/api_pages.py says why
PRODUCTION = {"LECTERN_PUBLIC_URL": "https://courses.example.org", "LECTERN_SANDBOX_PAYMENTS": "0"}


class Inline(HTMLParser):
    """Whatever a strict policy would not let run or apply: scripts, styles and handlers that stand in the page itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        data = (values.get("type") or "").endswith("json")  # read by a script, never run
        if (tag == "script" and "src" not in values and not data) or tag == "style":
            self.found.append(f"<{tag}>")
        self.found += [f"<{tag} {name}>" for name in values if name.startswith("on") or name == "style"]
        self.found += [f"<{tag}> {value}" for value in values.values() if (value or "").startswith("javascript:")]


def policy(answer: HttpResponse) -> dict[str, list[str]]:
    return {part.split()[0]: sorted(part.split()[1:]) for part in answer["Content-Security-Policy"].split("; ")}


def check(path: str, answer: HttpResponse) -> None:
    assert Inline(answer.content.decode()).found == [], path
    told = policy(answer)
    assert (told["default-src"], told["script-src"], told["frame-ancestors"]) == (["'none'"], ["'self'"], ["'none'"])
    assert told["base-uri"] == ["'none'"]
    styles = ["'self'", "'unsafe-inline'"] if path in STYLED_BY_THEMSELVES else ["'self'"]
    assert told["style-src"] == styles, path
    expected = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    assert {name: answer[name] for name in expected} == expected, path
    assert answer["Referrer-Policy"] in {"same-origin", "no-referrer"}


def is_page(answer: HttpResponse) -> bool:
    return answer.status_code == 200 and answer.get("Content-Type", "").startswith("text/html")


def plain_paths() -> Iterator[str]:
    """Every address outside the admin site that needs nothing filled in."""
    for path, _view in routes(get_resolver()):
        if "<" not in path and "^" not in path:
            yield f"/{path}"


def admin_paths(root: User) -> Iterator[str]:
    yield from (reverse(f"admin:{name}") for name in ("index", "password_change", "jsi18n"))
    yield reverse("admin:accounts_user_change", args=[root.pk])
    yield reverse("admin:accounts_user_delete", args=[root.pk])
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        yield reverse(f"{name}_add")


def test_no_public_page_has_anything_inline(db: None) -> None:
    answers = {path: Client().get(path) for path in [*plain_paths(), "/admin/login/"]}
    pages = {path: answer for path, answer in answers.items() if is_page(answer)}
    assert {"/admin/login/", "/account/verify/", "/account/reset/", *STYLED_BY_THEMSELVES} <= pages.keys()
    for path, answer in pages.items():
        check(path, answer)


def test_no_page_of_the_admin_site_has_anything_inline(root: User) -> None:
    client = Client()
    client.force_login(root)
    pages = {path: answer for path in admin_paths(root) if is_page(answer := client.get(path))}
    assert len(pages) > len(admin.site._registry)
    for path, answer in pages.items():
        check(path, answer)


def test_the_tool_that_looks_for_inline_things_finds_them() -> None:
    page = '<p style="x" onclick="y"><script>1</script><style></style><a href="javascript:z"><script type="application/json">'
    assert Inline(page).found == ["<p style>", "<p onclick>", "<script>", "<style>", "<a> javascript:z"]


@pytest.fixture
def behind_tls(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Cookies and headers as the settings make them for an https address."""
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    made = runpy.run_path(str(environment.SERVICE / "config" / "settings.py"))
    for name in made:
        if name.startswith(("SESSION_COOKIE_", "CSRF_COOKIE_", "SECURE_", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS")):
            setattr(settings, name, made[name])
    settings.TRUSTED_PROXIES = ["127.0.0.1"]


def test_production_settings_pass_djangos_own_check(behind_tls: None) -> None:
    call_command("check", deploy=True, fail_level="DEBUG")  # raises SystemCheckError


def test_cookies_belong_to_this_host_alone_behind_tls(root: User, behind_tls: None) -> None:
    """As nginx hands a request on: over http from a trusted address, with the client's own scheme beside it."""
    nginx = {"HTTP_HOST": "courses.example.org", "HTTP_X_FORWARDED_PROTO": "https", "REMOTE_ADDR": "127.0.0.1"}
    client = Client(enforce_csrf_checks=True)
    form = client.get("/admin/login/", **nginx)
    assert form["Strict-Transport-Security"] == "max-age=31536000"
    fields = {"username": root.username, "password": PASSWORD, "csrfmiddlewaretoken": form.context["csrf_token"]}
    answer = client.post("/admin/login/?next=/admin/", fields, HTTP_ORIGIN="https://courses.example.org", **nginx)
    assert answer.status_code == 302
    assert set(client.cookies) == {"__Host-lectern", "__Host-lectern-csrf"}
    for cookie in client.cookies.values():  # browsers take a __Host- cookie only like this
        assert (bool(cookie["secure"]), cookie["path"], cookie["domain"], cookie["samesite"]) == (True, "/", "", "Lax")
    assert client.cookies["__Host-lectern"]["httponly"]


def test_without_tls_browsers_get_cookies_that_they_keep(root: User) -> None:
    client = Client()
    assert "Strict-Transport-Security" not in client.get("/admin/login/")
    client.post("/admin/login/", {"username": root.username, "password": PASSWORD})
    assert set(client.cookies) == {"lectern", "lectern-csrf"}
    assert not any(cookie["secure"] for cookie in client.cookies.values())
