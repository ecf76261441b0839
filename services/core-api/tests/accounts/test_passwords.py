"""Changing a password, and getting over a forgotten one."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from accounts import actions, passwords
from accounts.models import LoginSession, MailedToken, PasswordResetRequest, User
from accounts.tasks import purge_mailed_tokens
from audit.models import Event
from mail.models import Mail
from tests.accounts.outbox import mails, run_reset_jobs, token_for
from tests.accounts.test_logging_in import bearer, log_in
from tests.conftest import PASSWORD, Api

CHANGE = "/api/v1/auth/password/change/"
RESET = "/api/v1/auth/password/reset/"
CONFIRM = "/api/v1/auth/password/reset/confirm/"
NEW = "an entirely different phrase"


def forgotten(api: Api, user: User) -> str:
    """What the link in the mail carries, for somebody who forgot their password."""
    assert api.post(RESET, {"email": user.email}).status_code == 202
    run_reset_jobs()
    return token_for(user, "password_reset")


def code(answer: Any) -> str:
    return "ok" if answer.status_code == 204 else answer.json()["code"]


def test_a_changed_password_ends_every_login_and_is_told(api: Api, alice: User) -> None:
    here, elsewhere = log_in(api), log_in(api)
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert bearer(here["access"]).post(CHANGE, body).status_code == 204
    for pair in (here, elsewhere):
        assert bearer(pair["access"]).get("/api/v1/me/").status_code == 401
        assert api.post("/api/v1/auth/token/refresh/", {"refresh": pair["refresh"]}).status_code == 401
    log_in(api, password=NEW)
    assert mails(alice) == [("password_changed", "alice@example.org")]
    assert Event.objects.filter(kind="password_changed", actor_id=alice.pk).count() == 1


def test_a_password_is_not_changed_without_the_present_one(api: Api, alice: User) -> None:
    client = api.as_(alice)
    answer = client.post(CHANGE, {"current_password": "something else entirely", "new_password": NEW})
    assert (answer.status_code, code(answer)) == (403, "wrong_password")
    answer = client.post(CHANGE, {"current_password": PASSWORD, "new_password": "alice@example"})
    assert list(answer.json()["errors"]) == ["new_password"]
    assert api.post(CHANGE, {"current_password": PASSWORD, "new_password": NEW}).status_code == 401
    log_in(api)


def test_guessing_the_present_password_has_to_wait(api: Api, alice: User) -> None:
    client = api.as_(alice)
    wrong = {"current_password": "something else entirely", "new_password": NEW}
    answers = [client.post(CHANGE, wrong) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [403] * 5 + [429]
    assert int(answers[-1]["Retry-After"]) >= 1


def test_a_forgotten_password_is_set_by_mail_once(api: Api, alice: User) -> None:
    pair = log_in(api)
    token = forgotten(api, alice)
    assert code(api.post(CONFIRM, {"token": token, "new_password": NEW})) == "ok"
    assert bearer(pair["access"]).get("/api/v1/me/").status_code == 401
    assert bearer(log_in(api, password=NEW)["access"]).get("/api/v1/me/").json()["email_verified"]
    answer = api.post(CONFIRM, {"token": token, "new_password": PASSWORD})
    assert (answer.status_code, code(answer)) == (409, "link_invalid")
    assert [kind for kind, _ in mails(alice)] == ["password_reset", "password_changed"]
    assert set(Event.objects.values_list("kind", flat=True)) >= {"password_reset_asked", "password_reset"}


def test_a_refused_password_leaves_the_link_good(api: Api, alice: User) -> None:
    token = forgotten(api, alice)
    answer = api.post(CONFIRM, {"token": token, "new_password": "alice@example"})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["new_password"])
    assert code(api.post(CONFIRM, {"token": token, "new_password": NEW})) == "ok"


def test_a_link_is_good_for_an_hour(api: Api, alice: User) -> None:
    token = forgotten(api, alice)
    (row,) = MailedToken.objects.all()
    assert row.expires_at - row.created_at == timedelta(hours=1)
    MailedToken.objects.update(expires_at=F("expires_at") - timedelta(hours=1))
    assert code(api.post(CONFIRM, {"token": token, "new_password": NEW})) == "link_invalid"


def test_what_ends_a_link(api: Api, alice: User, bob: User) -> None:
    first, second = forgotten(api, alice), forgotten(api, alice)
    assert code(api.post(CONFIRM, {"token": "x" * 43, "new_password": NEW})) == "link_invalid"
    actions.set_password(alice, PASSWORD)
    assert code(api.post(CONFIRM, {"token": first, "new_password": NEW})) == "link_invalid"
    assert code(api.post(CONFIRM, {"token": second, "new_password": NEW})) == "link_invalid"
    bobs = forgotten(api, bob)
    User.objects.filter(pk=bob.pk).update(email="bob@elsewhere.example")
    assert code(api.post(CONFIRM, {"token": bobs, "new_password": NEW})) == "link_invalid"
    bob.refresh_from_db()
    bobs = forgotten(api, bob)
    actions.deactivate(bob)
    assert code(api.post(CONFIRM, {"token": bobs, "new_password": NEW})) == "link_invalid"
    assert api.post("/api/v1/auth/email/verify/", {"token": bobs}).json()["code"] == "link_invalid"


def test_no_link_is_kept_in_clear_nor_any_address_typed(api: Api, alice: User) -> None:
    token = forgotten(api, alice)
    assert token.encode() not in bytes(MailedToken.objects.get().token_hash)
    api.post(RESET, {"email": "stranger@example.org"})
    assert PasswordResetRequest.objects.get().email == "stranger@example.org"
    run_reset_jobs()
    assert not PasswordResetRequest.objects.exists()
    assert not Event.objects.filter(detail__icontains="example.org").exists()


def work_of(api: Api, email: str) -> tuple[int, bytes, list[str]]:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = api.post(RESET, {"email": email})
    shape = [re.sub(r"'[^']*'|\d+(\.\d+)?(e[+-]?\d+)?|\\x[0-9a-f]+", "?", query["sql"]) for query in queries]
    return answer.status_code, answer.content, shape


def test_asking_is_the_same_work_whoever_it_is_for(api: Api, alice: User, make_person) -> None:
    make_person("carol", is_active=False)
    work_of(api, "first@example.org")  # whatever is done only once is done
    known = work_of(api, "alice@example.org")
    assert known[0] == 202
    assert any("accounts_passwordresetrequest" in query.lower() for query in known[2])
    assert not any("accounts_user" in query.lower() for query in known[2])
    assert known == work_of(api, "nobody@example.org") == work_of(api, "carol@example.org")


def test_nobody_who_could_not_log_in_gets_a_link(api: Api, make_person) -> None:
    carol, dave = make_person("carol", is_active=False), make_person("dave")
    dave.set_unusable_password()
    dave.save()
    for person in (carol, dave):
        api.post(RESET, {"email": person.email})
    api.post(RESET, {"email": "carol"})  # a username is no address
    run_reset_jobs()
    assert not Mail.objects.exists()
    assert not PasswordResetRequest.objects.exists()


def test_asking_again_and_again_sends_no_more_mails_and_is_answered_alike(api: Api, alice: User) -> None:
    for email in ("alice@example.org", "nobody@example.org"):
        answers = [api.post(RESET, {"email": email}).status_code for _ in range(5)]
        assert answers == [202] * 5
    run_reset_jobs()
    assert len(mails(alice)) == 3


def test_a_job_that_runs_twice_sends_one_mail(api: Api, alice: User) -> None:
    api.post(RESET, {"email": "alice@example.org"})
    (request,) = PasswordResetRequest.objects.values_list("pk", flat=True)
    passwords.send_reset(request)
    passwords.send_reset(request)
    assert len(mails(alice)) == 1


def test_a_job_killed_half_way_has_done_nothing(api: Api, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    api.post(RESET, {"email": "alice@example.org"})

    def killed(*_arguments: object, **_detail: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(passwords, "record", killed)
        with pytest.raises(KeyboardInterrupt):
            run_reset_jobs()
    assert (Mail.objects.count(), MailedToken.objects.count()) == (0, 0)
    run_reset_jobs()  # the queue takes it up again
    assert len(mails(alice)) == 1


def test_links_that_are_over_and_requests_that_no_job_answered_are_forgotten(api: Api, alice: User) -> None:
    token = forgotten(api, alice)
    api.post(RESET, {"email": "stranger@example.org"})
    purge_mailed_tokens()
    assert (MailedToken.objects.count(), PasswordResetRequest.objects.count()) == (1, 1)
    MailedToken.objects.update(expires_at=F("expires_at") - timedelta(days=2))
    PasswordResetRequest.objects.update(created_at=F("created_at") - timedelta(hours=2))
    purge_mailed_tokens()
    assert (MailedToken.objects.count(), PasswordResetRequest.objects.count()) == (0, 0)
    assert code(api.post(CONFIRM, {"token": token, "new_password": NEW})) == "link_invalid"


@pytest.mark.postgres
def test_of_two_who_use_a_link_at_once_one_sets_the_password(committed_db: str, alice: User, at_once) -> None:
    tokens = [forgotten(Api(), alice), forgotten(Api(), alice)]
    chosen = [f"{NEW} {number}" for number in range(8)]

    def confirm(number: int) -> str:
        return code(Api().post(CONFIRM, {"token": tokens[number % 2], "new_password": chosen[number]}))

    codes = at_once(8, confirm)
    assert sorted(codes) == ["link_invalid"] * 7 + ["ok"]
    log_in(Api(), password=chosen[codes.index("ok")])
    assert User.objects.get(pk=alice.pk).generation == 1


@pytest.mark.postgres
def test_of_two_password_changes_at_once_one_counts(committed_db: str, alice: User, at_once) -> None:
    clients = [Api().as_(alice) for _ in range(4)]
    chosen = [f"{NEW} {number}" for number in range(4)]

    def change(number: int) -> int:
        body = {"current_password": PASSWORD, "new_password": chosen[number]}
        return clients[number].post(CHANGE, body).status_code

    statuses = at_once(4, change)
    assert statuses.count(204) == 1
    assert set(statuses) <= {204, 403, 401}
    log_in(Api(), password=chosen[statuses.index(204)])
    assert LoginSession.objects.filter(ended_at=None).count() == 1
