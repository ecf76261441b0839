"""Guessing passwords, over the API and in the admin site's log-in form."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client

from accounts import attempts
from accounts.attempts import Purpose, Rule
from accounts.models import AttemptCounter, LoginSession, User
from audit.kinds import Kind
from audit.models import Event
from tests.conftest import PASSWORD, Api

WRONG = "a wrong but long password"
TOKEN, ADMIN = "/api/v1/auth/token/", "/admin/login/"


def guess(name: str = "alice", password: str = WRONG, **headers: str) -> int:
    return Api().post(TOKEN, {"username": name, "password": password}, **headers).status_code


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first wait is a minute, and the clock of attempts stands still: no slow machine waits by chance."""
    monkeypatch.setattr(attempts, "time", SimpleNamespace(time=lambda: 1_000_000.0))
    rule = Rule(free=5, first_s=60, longest_s=900, forgets_one_s=3600)
    monkeypatch.setitem(attempts.PER_ACCOUNT, Purpose.LOGIN, rule)
    monkeypatch.setitem(attempts.PER_ACCOUNT, Purpose.REAUTHENTICATION, rule)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were looked at."""
    seen: list[str] = []
    look = User.check_password

    def check(user: User, password: str) -> bool:
        seen.append(password)
        return look(user, password)

    monkeypatch.setattr(User, "check_password", check)
    return seen


def test_of_fifty_wrong_logins_at_once_all_are_counted_and_five_passwords_are_looked_at(
    at_once: Callable[..., list[object]], alice: User, slow: None, checked: list[str]
) -> None:
    statuses = at_once(50, lambda _: guess())
    assert sorted(statuses) == [401] * 5 + [429] * 45
    assert len(checked) == 5
    counter = AttemptCounter.objects.get(account__isnull=False)
    assert (round(counter.level), counter.refused) == (5, 45)
    assert Event.objects.filter(kind=Kind.LOGIN_FAILED, subject_id=str(alice.pk)).count() == 5
    assert Event.objects.filter(kind=Kind.LOGIN_REFUSED, subject_id=str(alice.pk)).count() == 1


def test_the_right_password_does_not_help_while_one_has_to_wait(api: Api, alice: User, slow: None, checked) -> None:
    for _ in range(5):
        guess()
    refused = api.post(TOKEN, {"username": "alice", "password": PASSWORD})
    assert (refused.status_code, refused["Retry-After"], len(checked)) == (429, "60", 5)
    assert refused.json() == {
        "type": "urn:lectern:problem:too_many_requests",
        "title": "Too many requests",
        "status": 429,
        "code": "too_many_requests",
        "detail": "Wait a little, then try again.",
    }
    assert not LoginSession.objects.exists()


def test_names_that_nobody_has_are_refused_alike(alice: User, slow: None) -> None:
    assert [guess("alice") for _ in range(7)] == [guess("nobody") for _ in range(7)] == [401] * 5 + [429] * 2


def test_the_log_names_nobody_who_was_only_typed(alice: User, slow: None) -> None:
    for _ in range(6):
        guess("my password by mistake")
    events = Event.objects.all()
    assert {(event.kind, event.subject_id, event.address) for event in events} == {
        (Kind.LOGIN_FAILED, "", "127.0.0.1"),
        (Kind.LOGIN_REFUSED, "", "127.0.0.1"),
    }
    assert not [event for event in events if "mistake" in str(event.detail)]


def test_a_forged_forwarded_address_does_not_escape_the_counter(alice: User, settings) -> None:
    settings.LOGIN_FAILURES_PER_ADDRESS = 3
    forged = [guess(f"name{n}", HTTP_X_FORWARDED_FOR=f"198.51.100.{n}") for n in range(5)]
    assert forged == [401] * 3 + [429] * 2
    assert guess("alice", PASSWORD, REMOTE_ADDR="198.51.100.1") == 200


def test_clients_of_a_trusted_proxy_are_told_apart(alice: User, settings) -> None:
    settings.LOGIN_FAILURES_PER_ADDRESS, settings.TRUSTED_PROXIES = 1, ["127.0.0.1/32"]
    assert [guess(f"name{n}", HTTP_X_FORWARDED_FOR=f"198.51.100.{n}") for n in range(3)] == [401] * 3
    assert guess("name", HTTP_X_FORWARDED_FOR="203.0.113.9, 198.51.100.1") == 429  # the left one is made up


def test_where_the_counters_are_away_nobody_logs_in(committed_db: str, alice: User, checked, monkeypatch) -> None:
    from tests import environment

    assert guess("alice", PASSWORD) == 200
    connections.close_all()
    broken = {"HOST": "127.0.0.1", "PORT": "9"} if environment.ON_POSTGRES else {"NAME": "/nowhere/at/all.sqlite3"}
    with monkeypatch.context() as patch:
        for name, value in broken.items():
            patch.setitem(connections.settings["default"], name, value)
        assert guess("alice", PASSWORD) == 503
        page = Client().post(ADMIN, {"username": "alice", "password": PASSWORD})
    assert (page.status_code, len(checked)) == (503, 1)
    assert "Try again shortly" in page.content.decode()
    connections.close_all()


@pytest.mark.postgres
def test_a_counter_that_cannot_be_written_in_time_refuses(committed_db: str, alice: User, checked) -> None:
    import psycopg

    from tests import environment

    address = environment.database_address("core", database=committed_db)
    with psycopg.connect(address) as other:
        other.execute("SET search_path TO core")
        assert guess() == 401
        other.execute("SELECT 1 FROM accounts_attemptcounter FOR UPDATE")
        began = time.monotonic()
        assert guess("alice", PASSWORD) == 503
        assert time.monotonic() - began < 10
    assert checked == [WRONG]
    assert guess("alice", PASSWORD) == 200


def test_the_admin_form_counts_with_the_api(root: User, slow: None, checked) -> None:
    for _ in range(3):
        guess("root")
    pages = [Client().post(ADMIN, {"username": "root", "password": WRONG}) for _ in range(2)]
    assert [page.status_code for page in pages] == [200, 200]
    assert "There is no account with that name and password." in pages[0].content.decode()
    refused = Client().post(ADMIN, {"username": "root", "password": PASSWORD})
    assert (refused.status_code, refused["Retry-After"], len(checked)) == (429, "60", 5)
    assert "Wait a little, then try again. (60 s)" in refused.content.decode()
    assert guess("root", PASSWORD) == 429


def test_logging_in_to_the_admin_site_is_in_the_log_and_takes_back_the_failures(root: User, slow: None) -> None:
    for _ in range(4):
        guess("root")
    assert Client().post(ADMIN, {"username": "root", "password": PASSWORD}).status_code == 302
    assert [guess("root") for _ in range(6)] == [401] * 5 + [429]
    assert Event.objects.get(kind=Kind.LOGIN).detail == {"by": "admin_form"}


def test_the_present_password_cannot_be_guessed_by_a_stolen_admin_session(root: User, slow: None, checked) -> None:
    stolen = Client()
    stolen.force_login(root)
    new = "another long password"
    for _ in range(6):
        page = stolen.post(
            "/admin/password_change/", {"old_password": WRONG, "new_password1": new, "new_password2": new}
        )
    assert "Wait a little, then try again. (60 s)" in page.content.decode()
    assert len(checked) == 5


def test_root_changes_their_password_in_the_admin_site_and_stays_logged_in(root: User) -> None:
    client, new = Client(), "another long password"
    client.force_login(root)
    page = client.post(
        "/admin/password_change/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    )
    assert (page.status_code, client.get("/admin/password_change/").status_code) == (302, 200)
    root.refresh_from_db()
    assert root.check_password(new)
    assert root.generation == 1
    assert Event.objects.filter(kind=Kind.PASSWORD_CHANGED, actor_id=root.pk).count() == 1


def test_an_address_registers_so_many_people_an_hour(api: Api, settings, slow: None) -> None:
    settings.REGISTRATIONS_PER_HOUR = 2
    bodies = [{"username": f"new{n}", "email": f"new{n}@example.org", "password": PASSWORD} for n in range(3)]
    answers = [api.post("/api/v1/auth/register/", body) for body in bodies]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[2]["Retry-After"] == "1800"
    assert api.post("/api/v1/auth/register/", bodies[2], REMOTE_ADDR="198.51.100.1").status_code == 201


def test_a_command_lets_alice_try_again(alice: User, slow: None, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(6):
        guess()
    call_command("forget_failed_logins", "alice@example.org")
    assert capsys.readouterr().out == "alice may try at once (1 counters forgotten).\n"
    assert guess("alice", PASSWORD) == 200
    assert Event.objects.filter(kind=Kind.FAILED_LOGINS_FORGOTTEN, subject_id=str(alice.pk)).count() == 1
    with pytest.raises(CommandError, match="nobody called bob"):
        call_command("forget_failed_logins", "bob")


def test_an_admin_lets_alice_try_again(alice: User, root: User, slow: None) -> None:
    for _ in range(6):
        guess()
    client = Client()
    client.force_login(root)
    sent = {
        "action": "forget_failed_logins",
        "_selected_action": str(alice.pk),
        "confirmed": "yes",
        "once": "6f9c1c62-6f3c-4c0e-9a35-0d6a4a3f8b11",
    }
    client.post("/admin/accounts/user/", sent)
    assert guess("alice", PASSWORD) == 200
