"""What operators do to accounts by `manage.py`."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from audit.models import Event
from config.management.commands import changepassword
from tests.accounts.test_logging_in import bearer, log_in
from tests.conftest import Api

NEW = "an entirely different phrase"


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch):
    """`typing("one", "two")`: what the operator answers when asked for a password."""

    def typed(*passwords: str) -> None:
        answers = iter(passwords)
        monkeypatch.setattr(changepassword, "getpass", lambda prompt: next(answers))

    return typed


def test_a_new_password_ends_every_login(api: Api, alice: User, typing) -> None:
    here = log_in(api)
    typing(NEW, NEW)
    call_command("changepassword", "Alice@example.org")
    assert bearer(here["access"]).get("/api/v1/me/").status_code == 401
    assert api.post("/api/v1/auth/token/refresh/", {"refresh": here["refresh"]}).status_code == 401
    log_in(api, password=NEW)
    assert Event.objects.get(kind="password_changed").subject_id == str(alice.pk)


def test_a_password_that_is_too_weak_or_mistyped_is_not_taken(
    api: Api, alice: User, typing, capsys: pytest.CaptureFixture[str]
) -> None:
    typing("short", "short", NEW, NEW + "r", "alice@example", "alice@example")
    with pytest.raises(CommandError, match="alice keeps the password they have"):
        call_command("changepassword", "alice")
    said = capsys.readouterr().err
    assert [part in said for part in ("too short", "two different ones", "too similar")] == [True] * 3
    log_in(api)
    with pytest.raises(CommandError, match="nobody called carol"):
        call_command("changepassword", "carol")


@pytest.mark.parametrize(("ended", "why"), [(EOFError, "at a terminal"), (KeyboardInterrupt, "Cancelled")])
def test_a_password_that_nobody_types_changes_nothing(
    api: Api, alice: User, monkeypatch: pytest.MonkeyPatch, ended: type[BaseException], why: str
) -> None:
    def end(prompt: str) -> str:
        raise ended

    monkeypatch.setattr(changepassword, "getpass", end)
    with pytest.raises(CommandError, match=f"alice keeps the password they have.*{why}"):
        call_command("changepassword", "alice")
    log_in(api)


@pytest.mark.parametrize(
    ("username", "email"), [("ALICE", "new@example.org"), ("alice2", "Alice@Example.org")], ids=["name", "address"]
)
def test_a_first_admin_by_a_name_that_is_taken_is_refused_in_words(alice: User, username: str, email: str) -> None:
    with pytest.raises(CommandError, match="already"):
        call_command("createsuperuser", interactive=False, username=username, email=email)
    assert User.objects.get() == alice
    call_command("createsuperuser", interactive=False, username="root", email="root@example.org", verbosity=0)
    root = User.objects.get(username="root")
    assert root.is_superuser
    told = [(event.kind, event.actor_id, event.subject_id, event.detail) for event in Event.objects.order_by("id")]
    assert told == [
        ("admin_added", None, str(root.pk), {}),
        ("roles_changed", None, str(root.pk), {"is_staff": True, "is_superuser": True}),
    ]


def test_who_types_a_name_or_an_address_that_is_taken_is_asked_again(
    alice: User, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    answers = iter(["Alice", "root", "ALICE@example.org", "root@example.org"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(answers))
    monkeypatch.setattr("getpass.getpass", lambda *prompt: NEW)
    call_command("createsuperuser", stdin=Terminal())
    assert User.objects.get(username="root").email == "root@example.org"
    said = capsys.readouterr().err
    assert "That username is already taken" in said
    assert "That e-mail address is in use" in said
