"""Where one is logged in, and the login that staff open from the admin site."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone

from accounts import actions
from accounts.admin_tokens import token_of
from accounts.models import LoginSession, User
from accounts.sessions import Client as Device
from audit.models import Event
from config.problems import NotAuthenticated
from tests.accounts.test_logging_in import bearer, log_in
from tests.conftest import PASSWORD, Api

SESSIONS = "/api/v1/me/sessions/"
TOKEN = "/api/v1/auth/token/session/"


def sessions(access: str) -> list[dict[str, Any]]:
    answer = bearer(access).get(SESSIONS)
    assert answer.status_code == 200
    return answer.json()["results"]


def test_alice_sees_where_she_is_logged_in(api: Api, alice: User, bob: User) -> None:
    body = {"username": "alice", "password": PASSWORD}
    phone = api.post("/api/v1/auth/token/", body, HTTP_USER_AGENT="Phone").json()
    laptop = api.post("/api/v1/auth/token/", body, HTTP_USER_AGENT="Laptop").json()
    log_in(api, "bob")
    found = sessions(phone["access"])
    assert [(row["device"], row["address"], row["current"]) for row in found] == [
        ("Laptop", "127.0.0.1", False),
        ("Phone", "127.0.0.1", True),
    ]
    assert set(found[0]) == {"id", "device", "address", "created_at", "last_used_at", "current"}
    api.post("/api/v1/auth/token/refresh/", {"refresh": phone["refresh"]})
    assert [row["device"] for row in sessions(laptop["access"])] == ["Phone", "Laptop"]  # a refresh is a use
    assert api.get(SESSIONS).status_code == 401


def test_what_is_over_is_not_listed(api: Api, alice: User) -> None:
    here, ended, expired = (log_in(api) for _ in range(3))
    api.post("/api/v1/auth/logout/", {"refresh": ended["refresh"]})
    last = LoginSession.objects.order_by("-pk")[:1].values("pk")
    LoginSession.objects.filter(pk__in=last).update(last_used_at=F("last_used_at") - timedelta(days=31))
    assert [row["current"] for row in sessions(here["access"])] == [True]
    assert expired


def test_alice_ends_the_login_of_a_lost_phone(api: Api, alice: User) -> None:
    phone, laptop = log_in(api), log_in(api)
    (lost,) = [row["id"] for row in sessions(laptop["access"]) if not row["current"]]
    assert bearer(laptop["access"]).delete(f"{SESSIONS}{lost}/").status_code == 204
    assert bearer(laptop["access"]).delete(f"{SESSIONS}{lost}/").status_code == 204
    assert bearer(phone["access"]).get("/api/v1/me/").status_code == 401
    assert api.post("/api/v1/auth/token/refresh/", {"refresh": phone["refresh"]}).json()["code"] == "token_invalid"
    assert [row["current"] for row in sessions(laptop["access"])] == [True]
    assert Event.objects.filter(kind="session_ended", subject_id=lost).count() == 1


def test_nobody_ends_anybody_elses_login(api: Api, alice: User, bob: User) -> None:
    alices = LoginSession.objects.create(user=alice)
    for session in (alices.pk, uuid.uuid4()):
        answer = api.as_(bob).delete(f"{SESSIONS}{session}/")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    alices.refresh_from_db()
    assert alices.ended_at is None


def test_security_events_are_logged(api: Api, alice: User) -> None:
    pair = log_in(api)
    api.post("/api/v1/auth/logout/", {"refresh": pair["refresh"]})
    api.post("/api/v1/auth/logout/", {"refresh": pair["refresh"]})
    bearer(log_in(api)["access"]).post("/api/v1/auth/logout-everywhere/")
    kinds = Event.objects.filter(actor_id=alice.pk).order_by("pk").values_list("kind", "address")
    assert list(kinds) == [
        ("login", "127.0.0.1"),
        ("logout", "127.0.0.1"),
        ("login", "127.0.0.1"),
        ("logout_everywhere", "127.0.0.1"),
    ]


class Browser(Client):
    """One that is logged in to the admin site, and whose CSRF tokens are checked."""

    def __init__(self, user: User) -> None:
        super().__init__(enforce_csrf_checks=True)
        self.force_login(user)

    def ask(self) -> Any:
        self.get("/admin/password_change/")  # a page with a form: it sets the cookie
        return self.send()

    def send(self) -> Any:
        return self.generic("POST", TOKEN, headers={"X-CSRFToken": self.cookies["lectern-csrf"].value})

    def log_out(self) -> None:
        token = self.cookies["lectern-csrf"].value
        assert self.post("/admin/logout/", headers={"X-CSRFToken": token}).status_code in {200, 302}


def test_staff_get_an_api_token_from_the_admin_site_until_they_log_out(fiona: User) -> None:
    browser = Browser(fiona)
    answer = browser.ask()
    assert (answer.status_code, list(answer.json())) == (200, ["access"])
    assert answer["Cache-Control"] == "no-store"
    access = answer.json()["access"]
    assert bearer(access).get("/api/v1/me/").json()["username"] == "fiona"
    again = browser.ask().json()["access"]
    assert LoginSession.objects.filter(user=fiona).count() == 1
    browser.log_out()
    for token in (access, again):
        assert bearer(token).get("/api/v1/me/").status_code == 401
    assert browser.send().status_code == 401


def test_the_admin_sites_token_is_not_had_by_others_nor_by_forgery(alice: User, fiona: User, api: Api) -> None:
    learner = Client()
    learner.force_login(alice)
    answer = learner.generic("POST", TOKEN)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert Browser(fiona).post(TOKEN).status_code == 403  # another site's form has the cookie, and no CSRF token
    assert Browser(fiona).get(TOKEN).status_code == 405
    assert api.as_(fiona).post(TOKEN).status_code == 401  # no way to make one token from another
    assert not LoginSession.objects.exclude(admin_session=None).exists()


def test_a_raised_generation_ends_the_admin_session_and_its_token(fiona: User) -> None:
    browser = Browser(fiona)
    access = browser.ask().json()["access"]
    actions.log_out_everywhere(fiona)
    assert bearer(access).get("/api/v1/me/").status_code == 401
    assert browser.send().status_code == 401


def test_an_admin_session_that_is_over_is_not_listed(api: Api, fiona: User) -> None:
    Browser(fiona).ask()
    pair = log_in(api, "fiona")
    assert len(sessions(pair["access"])) == 2
    LoginSession.objects.exclude(admin_session=None).update(last_used_at=timezone.now() - timedelta(hours=13))
    assert len(sessions(pair["access"])) == 1


def test_whoever_ends_the_login_of_the_admin_site_logs_that_out(api: Api, fiona: User) -> None:
    stolen, own = Browser(fiona), Browser(fiona)
    taken = stolen.ask().json()["access"]
    own.ask()
    (lost,) = [row["id"] for row in sessions(taken) if row["current"]]
    assert api.as_(fiona).delete(f"{SESSIONS}{lost}/").status_code == 204
    assert bearer(taken).get("/api/v1/me/").status_code == 401
    assert (stolen.send().status_code, stolen.get("/admin/").status_code) == (401, 302)
    assert (own.send().status_code, own.get("/admin/").status_code) == (200, 200)


def test_a_request_that_the_log_out_overtook_gets_no_token(fiona: User) -> None:
    browser = Browser(fiona)
    browser.ask()
    before = browser.session
    browser.log_out()
    with pytest.raises(NotAuthenticated):
        token_of(fiona, before, Device(None, ""))
    assert not LoginSession.objects.filter(user=fiona, ended_at=None).exists()


@pytest.mark.postgres
def test_two_tabs_of_the_admin_site_share_a_login(committed_db: str, fiona: User, at_once) -> None:
    session = Browser(fiona).session
    at_once(6, lambda _number: token_of(fiona, session, Device(None, "")))
    assert LoginSession.objects.count() == 1
