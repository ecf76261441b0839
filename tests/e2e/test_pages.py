"""The pages that people look at: the admin site and the API's documents."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from e2e.people import Person


@pytest.fixture
def admin_site(base_url: str, accounts: dict[str, dict[str, str]]) -> Iterator[httpx.Client]:
    """The admin site, logged in through its form."""
    with httpx.Client(base_url=base_url, follow_redirects=True, timeout=30) as http:
        form = http.get("/admin/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
        assert token
        body = {"csrfmiddlewaretoken": token[1], **{name: accounts["admin"][name] for name in ("username", "password")}}
        page = http.post("/admin/login/?next=/admin/", data=body, headers={"Referer": f"{base_url}/admin/login/"})
        assert page.status_code == 200
        assert "Log out" in page.text
        yield http


def test_an_admin_sees_people_courses_wallets_orders_and_playback(
    admin_site: httpx.Client, alice: Person, course: dict[str, Any], lesson: dict[str, Any]
) -> None:
    alice.buy_credit()
    order = alice.buy(course["slug"], key=str(uuid.uuid4()))
    alice.post("/stream/v1/playback", {"lesson": lesson["id"]}, expect=201)
    expected = {
        "accounts/user": alice.username,
        "courses/course": course["title"],
        "wallet/wallet": alice.username,
        "wallet/order": order["id"],
        "published/playbacksession": alice.username,
    }
    for page, text in expected.items():
        answer = admin_site.get(f"/admin/{page}/")
        assert answer.status_code == 200, page
        assert text in answer.text, f"{text} is not on /admin/{page}/"


def test_the_admin_site_is_styled_from_our_own_host(admin_site: httpx.Client) -> None:
    page = admin_site.get("/admin/")
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)
    assert sheets
    assert all(sheet.startswith("/static/") and admin_site.get(sheet).status_code == 200 for sheet in sheets)
    assert "unsafe" not in page.headers["content-security-policy"]


@pytest.mark.parametrize("document", ["/api/schema/", "/stream/v1/openapi.json", "/chat/v1/openapi.json"])
def test_each_service_has_an_openapi_document(base_url: str, document: str) -> None:
    answer = httpx.get(base_url + document, headers={"Accept": "application/json"})
    assert answer.status_code == 200
    assert "openapi" in answer.text[:200]


@pytest.mark.parametrize(
    "page", ["/api/schema/swagger-ui/", "/api/schema/redoc/", "/api/schema/redoc/?service=chat", "/"]
)
def test_the_documents_pages_load_everything_from_our_host(base_url: str, page: str) -> None:
    answer = httpx.get(base_url + page)
    assert answer.status_code == 200
    for address in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        assert not re.match(r"(https?:)?//", address) or address.startswith(base_url), address
        if address.startswith("/static/"):
            assert httpx.get(base_url + address).status_code == 200, address
