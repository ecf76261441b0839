"""Logging in, being somebody, logging out."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from accounts.backends import UsernameOrEmailBackend
from accounts.models import LoginSession, User
from tests.conftest import PASSWORD, Api


def log_in(api: Api, username: str = "alice", password: str = PASSWORD) -> dict[str, str]:
    answer = api.post("/api/v1/auth/token/", {"username": username, "password": password})
    assert answer.status_code == 200, answer.content
    return answer.json()


def bearer(access: str) -> Api:
    client = Api()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return client


@pytest.mark.parametrize("name", ["alice", "ALICE", " alice ", "alice@example.org", "Alice@Example.org"])
def test_alice_logs_in_by_name_or_address(api: Api, alice: User, name: str) -> None:
    pair = log_in(api, name)
    me = bearer(pair["access"]).get("/api/v1/me/").json()
    assert me == {
        "id": str(alice.pk),
        "username": "alice",
        "email": "alice@example.org",
        "email_verified": False,
        "email_pending": None,
        "name": "Alice",
        "roles": ["learner"],
        "permissions": [],
        "chat_mails": True,
    }


def test_the_login_remembers_where_it_came_from(api: Api, alice: User) -> None:
    body = {"username": "alice", "password": PASSWORD}
    api.post("/api/v1/auth/token/", body, HTTP_USER_AGENT="Firefox", HTTP_X_FORWARDED_FOR="198.51.100.7")
    session = LoginSession.objects.get(user=alice)
    assert (session.user_agent, session.address) == ("Firefox", "127.0.0.1")  # nobody trusted said the other address


@pytest.mark.parametrize("name", ["alice", "nobody", "carol", "alice@example.com"])
def test_every_failed_login_looks_the_same(api: Api, alice: User, make_person, name: str) -> None:
    make_person("carol", is_active=False)
    password = PASSWORD if name == "carol" else "a wrong but long password"
    answer = api.post("/api/v1/auth/token/", {"username": name, "password": password})
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.json() == {
        "type": "urn:lectern:problem:invalid_credentials",
        "title": "Not logged in",
        "status": 401,
        "code": "invalid_credentials",
        "detail": "There is no account with that name and password.",
    }


@pytest.mark.parametrize("name", ["alice", "nobody", "carol"])
def test_every_failed_login_hashes_once(alice: User, make_person, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    from django.contrib.auth.hashers import MD5PasswordHasher

    carol = make_person("carol")
    carol.set_unusable_password()
    carol.save()
    hashed = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda *args: hashed.append(1) or encode(*args))
    assert UsernameOrEmailBackend().authenticate(RequestFactory().get("/"), name, "a wrong but long password") is None
    assert len(hashed) == 1


def test_every_failed_login_asks_the_database_the_same(api: Api, alice: User, make_person) -> None:
    make_person("carol", is_active=False)

    def work(name: str, typed: str = "a wrong but long password") -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            assert api.post("/api/v1/auth/token/", {"username": name, "password": typed}).status_code == 401
        return [re.sub(r"'[^']*'|\d+(\.\d+)?(e[+-]?\d+)?|NULL", "?", query["sql"]) for query in queries]

    work("somebody")  # whatever is done only once is done
    known = work("alice")
    assert any("accounts_user" in query for query in known)
    assert known == work("nobody") == work("carol", PASSWORD) == work("alice@example.org")


def test_an_old_access_token_does_not_stand_in_the_way_of_a_login(api: Api, alice: User) -> None:
    client = bearer("rubbish")
    assert client.get("/api/v1/me/").status_code == 401
    log_in(client)


def test_alice_changes_her_display_name_and_nothing_else(api: Api, alice: User) -> None:
    answer = api.as_(alice).patch("/api/v1/me/", {"name": "Alice A.", "username": "root", "roles": ["admin"]})
    assert answer.json()["name"] == "Alice A."
    assert (answer.json()["username"], answer.json()["roles"]) == ("alice", ["learner"])


def test_roles_give_permissions(api: Api, agnes: User, root: User) -> None:
    me = api.as_(agnes).get("/api/v1/me/").json()
    assert me["roles"] == ["learner", "support_agent"]
    assert me["permissions"] == ["support.answer", "support.see_purchases"]
    me = api.as_(root).get("/api/v1/me/").json()
    assert me["roles"] == ["admin", "learner"]
    assert {"courses.manage_all", "payments.refund", "accounts.change_user"} <= set(me["permissions"])


def test_what_learners_may_everybody_may(api: Api, alice: User) -> None:
    Group.objects.get(name="learner").permissions.add(Permission.objects.get(codename="watch_any"))
    assert api.as_(alice).get("/api/v1/me/").json()["permissions"] == ["media.watch_any"]


def test_the_admin_role_holds_every_permission(make_person) -> None:
    carol = make_person("carol", "admin")
    assert len(carol.get_all_permissions()) == Permission.objects.count()


def test_logging_out_ends_that_login_alone(api: Api, alice: User) -> None:
    phone, laptop = log_in(api), log_in(api)
    assert api.post("/api/v1/auth/logout/", {"refresh": phone["refresh"]}).status_code == 204
    assert api.post("/api/v1/auth/logout/", {"refresh": phone["refresh"]}).status_code == 204
    assert api.post("/api/v1/auth/logout/", {"refresh": "unknown"}).status_code == 204
    assert bearer(phone["access"]).get("/api/v1/me/").json()["code"] == "token_invalid"
    assert api.post("/api/v1/auth/token/refresh/", {"refresh": phone["refresh"]}).json()["code"] == "token_invalid"
    assert bearer(laptop["access"]).get("/api/v1/me/").status_code == 200


def test_logging_out_everywhere_ends_all_logins(api: Api, alice: User, bob: User) -> None:
    phone, laptop, bobs = log_in(api), log_in(api), log_in(api, "bob")
    assert bearer(laptop["access"]).post("/api/v1/auth/logout-everywhere/").status_code == 204
    for pair in (phone, laptop):
        assert bearer(pair["access"]).get("/api/v1/me/").status_code == 401
        assert api.post("/api/v1/auth/token/refresh/", {"refresh": pair["refresh"]}).status_code == 401
    assert bearer(bobs["access"]).get("/api/v1/me/").status_code == 200
    assert bearer(log_in(api)["access"]).get("/api/v1/me/").status_code == 200


def test_deactivation_ends_everything_at_once(api: Api, alice: User) -> None:
    from accounts import actions

    pair = log_in(api)
    actions.deactivate(alice)
    assert bearer(pair["access"]).get("/api/v1/me/").status_code == 401
    assert api.post("/api/v1/auth/token/refresh/", {"refresh": pair["refresh"]}).status_code == 401


def test_a_login_that_races_a_password_change_loses(api: Api, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    from accounts import identification

    def authenticate(**_credentials: str) -> User:
        found = User.objects.get(username="alice")
        changed = User.objects.get(username="alice")
        changed.set_password("another long password")
        changed.save()
        return found

    monkeypatch.setattr(identification, "authenticate", authenticate)
    answer = api.post("/api/v1/auth/token/", {"username": "alice", "password": PASSWORD})
    assert answer.json()["code"] == "invalid_credentials"
    assert not LoginSession.objects.filter(user=alice).exists()


def test_access_tokens_live_ten_minutes(settings) -> None:
    assert settings.ACCESS_TOKEN_LIFETIME.total_seconds() == 600
