"""Proving that an address is one's own, and changing it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from accounts import actions
from accounts.models import MailedToken, User
from audit.models import Event
from mail.models import Mail
from tests.accounts.outbox import mails, run_reset_jobs, token_for
from tests.accounts.test_admin_site import admin_of, form_of
from tests.accounts.test_logging_in import log_in
from tests.conftest import PASSWORD, Api

ME = "/api/v1/me/"
SEND = "/api/v1/auth/email/send/"
VERIFY = "/api/v1/auth/email/verify/"
NEW = "alice@elsewhere.example"


def verify(token: str) -> str:
    answer = Api().post(VERIFY, {"token": token})
    return "ok" if answer.status_code == 204 else answer.json()["code"]


def wish(user: User, email: str = NEW) -> Any:
    return Api().as_(user).patch(ME, {"email": email, "current_password": PASSWORD})


def test_carol_registers_and_confirms_her_address(api: Api) -> None:
    body = {"username": "carol", "email": "carol@example.org", "password": PASSWORD}
    assert api.post("/api/v1/auth/register/", body).status_code == 201
    carol = User.objects.get(username="carol")
    assert mails(carol) == [("verify_email", "carol@example.org")]
    assert not api.as_(carol).get(ME).json()["email_verified"]
    token = token_for(carol, "verify_email")
    assert verify(token) == "ok"
    assert api.as_(carol).get(ME).json()["email_verified"]
    assert verify(token) == "link_invalid"
    assert set(Event.objects.filter(actor_id=carol.pk).values_list("kind", flat=True)) == {
        "registered",
        "email_verified",
    }


def test_another_link_is_sent_until_the_address_is_confirmed(api: Api, alice: User) -> None:
    client = api.as_(alice)
    assert client.post(SEND).status_code == 202
    first = token_for(alice, "verify_email")
    assert client.post(SEND).status_code == 202
    assert verify(first) == "ok"  # the mail that came late is as good
    assert verify(token_for(alice, "verify_email")) == "link_invalid"
    assert client.post(SEND).status_code == 202
    assert len(mails(alice)) == 2
    assert client.post(SEND).status_code == 429
    assert api.post(SEND).status_code == 401


def test_a_link_is_good_for_a_day(alice: User) -> None:
    Api().as_(alice).post(SEND)
    MailedToken.objects.update(expires_at=F("expires_at") - timedelta(days=1))
    assert verify(token_for(alice, "verify_email")) == "link_invalid"


def test_a_new_address_counts_when_it_is_confirmed(api: Api, alice: User) -> None:
    answer = wish(alice)
    assert answer.status_code == 200
    assert (answer.json()["email"], answer.json()["email_pending"]) == ("alice@example.org", NEW)
    assert mails(alice) == [("change_email", NEW), ("email_change_asked", "alice@example.org")]
    assert "#token" not in Mail.objects.get(kind="email_change_asked").text
    assert api.post("/api/v1/auth/token/", {"username": NEW, "password": PASSWORD}).status_code == 401
    api.post("/api/v1/auth/password/reset/", {"email": NEW})
    run_reset_jobs()
    assert len(mails(alice)) == 2  # nor does a reset go there

    assert verify(token_for(alice, "change_email")) == "ok"
    me = api.as_(alice).get(ME).json()
    assert (me["email"], me["email_verified"], me["email_pending"]) == (NEW, True, None)
    assert mails(alice)[2:] == [("email_changed", "alice@example.org")]
    log_in(api, NEW)
    assert api.post("/api/v1/auth/token/", {"username": "alice@example.org", "password": PASSWORD}).status_code == 401
    assert Event.objects.filter(kind__in=["email_change_asked", "email_changed"], actor_id=alice.pk).count() == 2


def test_an_address_is_not_changed_without_the_password(api: Api, alice: User) -> None:
    client = api.as_(alice)
    answer = client.patch(ME, {"email": NEW})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["current_password"])
    answer = client.patch(ME, {"email": NEW, "current_password": "not this one at all", "name": "Mallory"})
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_password")
    assert not Mail.objects.exists()
    assert client.get(ME).json()["name"] == "Alice"


def test_an_address_that_somebody_has_is_refused(alice: User, bob: User) -> None:
    answer = wish(alice, "BOB@example.org")
    assert answer.json()["errors"] == {"email": ["That e-mail address is in use."]}
    wish(alice)
    User.objects.filter(pk=bob.pk).update(email=NEW)  # he was quicker
    answer = Api().post(VERIFY, {"token": token_for(alice, "change_email")})
    assert (answer.status_code, answer.json()["code"]) == (409, "link_invalid")
    assert "Another account" in answer.json()["detail"]
    alice.refresh_from_db()
    assert alice.email == "alice@example.org"


def test_only_the_last_wish_counts_and_ones_own_address_takes_it_back(alice: User) -> None:
    wish(alice, "first@elsewhere.example")
    first = token_for(alice, "change_email")
    wish(alice)
    assert verify(first) == "link_invalid"
    second = token_for(alice, "change_email")
    assert wish(alice, "alice@example.org").json()["email_pending"] is None
    assert verify(second) == "link_invalid"


def test_sending_again_goes_to_the_address_that_is_wished_for(alice: User) -> None:
    wish(alice)
    Api().as_(alice).post(SEND)
    assert [to for kind, to in mails(alice) if kind == "change_email"] == [NEW, NEW]


def test_a_new_password_drops_a_wish_that_a_thief_began(alice: User) -> None:
    wish(alice, "thief@elsewhere.example")
    actions.set_password(alice, "an entirely different phrase")
    assert verify(token_for(alice, "change_email")) == "link_invalid"


def test_links_that_went_to_the_old_address_end_with_it(api: Api, alice: User) -> None:
    Api().as_(alice).post(SEND)
    api.post("/api/v1/auth/password/reset/", {"email": "alice@example.org"})
    run_reset_jobs()
    wish(alice)
    assert verify(token_for(alice, "change_email")) == "ok"
    assert verify(token_for(alice, "verify_email")) == "link_invalid"
    body = {"token": token_for(alice, "password_reset"), "new_password": "an entirely different phrase"}
    assert api.post("/api/v1/auth/password/reset/confirm/", body).json()["code"] == "link_invalid"


def test_an_address_that_staff_typed_is_not_confirmed(api: Api, alice: User, root: User) -> None:
    api.post("/api/v1/auth/password/reset/", {"email": "alice@example.org"})
    run_reset_jobs()
    User.objects.filter(pk=alice.pk).update(email_verified_at=timezone.now())
    client = admin_of(root)
    answer = client.post(f"/admin/accounts/user/{alice.pk}/change/", form_of(client, alice, email=NEW))
    assert answer.status_code == 302
    me = api.as_(alice).get(ME).json()
    assert (me["email"], me["email_verified"]) == (NEW, False)
    body = {"token": token_for(alice, "password_reset"), "new_password": "an entirely different phrase"}
    assert api.post("/api/v1/auth/password/reset/confirm/", body).json()["code"] == "link_invalid"


@pytest.mark.postgres
def test_of_many_who_open_a_link_at_once_one_is_told_yes(committed_db: str, alice: User, at_once) -> None:
    wish(alice)
    token = token_for(alice, "change_email")
    assert sorted(at_once(6, lambda _number: verify(token))) == ["link_invalid"] * 5 + ["ok"]
    assert User.objects.get(pk=alice.pk).email == NEW


@pytest.mark.postgres
def test_of_two_who_want_one_address_at_once_one_gets_it(committed_db: str, alice: User, bob: User, at_once) -> None:
    wish(alice)
    wish(bob)
    tokens = [token_for(person, "change_email") for person in (alice, bob)]
    assert sorted(at_once(2, lambda number: verify(tokens[number]))) == ["link_invalid", "ok"]
    assert User.objects.filter(email=NEW).count() == 1
