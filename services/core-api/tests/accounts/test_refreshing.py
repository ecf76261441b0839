"""A refresh token is used once (deploy/design.md, section 3)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from accounts.models import LoginSession, RefreshToken, User
from audit.models import Event
from tests.accounts.outbox import mails
from tests.accounts.test_logging_in import bearer, log_in
from tests.conftest import Api

URL = "/api/v1/auth/token/refresh/"


def code(answer: Any) -> str:
    return "ok" if answer.status_code == 200 else answer.json()["code"]


def let_pass(seconds: int) -> None:
    """As if every exchange so far had happened that much earlier."""
    RefreshToken.objects.update(consumed_at=F("consumed_at") - timedelta(seconds=seconds))


def test_a_token_is_exchanged_for_a_new_pair(api: Api, alice: User) -> None:
    first = log_in(api)
    second = api.post(URL, {"refresh": first["refresh"]}).json()
    assert set(second) == {"access", "refresh"}
    assert second["refresh"] != first["refresh"]
    assert bearer(second["access"]).get("/api/v1/me/").status_code == 200
    assert code(api.post(URL, {"refresh": second["refresh"]})) == "ok"


def test_no_token_is_kept_in_clear(api: Api, alice: User) -> None:
    pair = log_in(api)
    successor = api.post(URL, {"refresh": pair["refresh"], "attempt": "a1"}).json()["refresh"]
    kept = b"".join(
        bytes(value)
        for row in RefreshToken.objects.values_list("token_hash", "attempt_hash", "successor")
        for value in row
        if value
    )
    assert pair["refresh"].encode() not in kept
    assert successor.encode() not in kept


def test_a_lost_answer_is_given_again_to_the_same_attempt(api: Api, alice: User) -> None:
    body = {"refresh": log_in(api)["refresh"], "attempt": "a1"}
    first, again = api.post(URL, body).json(), api.post(URL, body).json()
    assert first["refresh"] == again["refresh"]
    assert bearer(again["access"]).get("/api/v1/me/").status_code == 200
    assert RefreshToken.objects.filter(consumed_at=None).count() == 1


@pytest.mark.parametrize("attempt", [{}, {"attempt": "a2"}])
def test_a_second_tab_is_told_without_harm(api: Api, alice: User, attempt: dict[str, str]) -> None:
    token = log_in(api)["refresh"]
    pair = api.post(URL, {"refresh": token, "attempt": "a1"}).json()
    assert code(api.post(URL, {"refresh": token, **attempt})) == "token_superseded"
    assert code(api.post(URL, {"refresh": pair["refresh"]})) == "ok"


@pytest.mark.parametrize("attempt", [{}, {"attempt": "a1"}])
def test_a_later_replay_ends_the_family(api: Api, alice: User, attempt: dict[str, str]) -> None:
    token, other = log_in(api)["refresh"], log_in(api)
    pair = api.post(URL, {"refresh": token, "attempt": "a1"}).json()
    let_pass(11)
    assert code(api.post(URL, {"refresh": token, **attempt})) == "token_reused"
    assert code(api.post(URL, {"refresh": token})) == "token_reused"
    assert code(api.post(URL, {"refresh": pair["refresh"]})) == "token_invalid"
    assert bearer(pair["access"]).get("/api/v1/me/").status_code == 401
    assert bearer(other["access"]).get("/api/v1/me/").status_code == 200
    assert LoginSession.objects.get(ended_at__isnull=False).end_reason == "token_reused"


def test_the_person_is_told_of_a_stolen_token_once_and_so_are_both_callers(api: Api, alice: User) -> None:
    owners = log_in(api)["refresh"]
    newer = api.post(URL, {"refresh": owners}).json()["refresh"]
    let_pass(11)
    for _ in range(2):
        assert code(api.post(URL, {"refresh": owners})) == "token_reused"  # the thief, or the owner after the thief
    answer = api.post(URL, {"refresh": newer})
    assert code(answer) == "token_invalid"
    assert "used twice" in answer.json()["detail"]
    assert mails(alice) == [("token_reused", "alice@example.org")]
    (event,) = Event.objects.filter(kind="token_reused")
    assert (event.actor_id, event.subject_id, event.address) == (None, str(alice.pk), "127.0.0.1")


def test_a_replay_after_a_log_out_alarms_nobody(api: Api, alice: User) -> None:
    token = log_in(api)["refresh"]
    newer = api.post(URL, {"refresh": token}).json()["refresh"]
    api.post("/api/v1/auth/logout/", {"refresh": newer})
    let_pass(11)
    assert code(api.post(URL, {"refresh": token})) == "token_reused"
    assert mails(alice) == []


@pytest.mark.parametrize("token", ["unknown", "x" * 200])
def test_an_unknown_token_is_refused(api: Api, alice: User, token: str) -> None:
    answer = api.post(URL, {"refresh": token})
    assert (answer.status_code, code(answer), answer["WWW-Authenticate"]) == (401, "token_invalid", "Bearer")


def test_an_access_token_refreshes_nothing_and_a_refresh_token_opens_nothing(api: Api, alice: User) -> None:
    pair = log_in(api)
    assert code(api.post(URL, {"refresh": pair["access"][:200]})) == "token_invalid"
    assert bearer(pair["refresh"]).get("/api/v1/me/").json()["code"] == "token_invalid"


def test_an_expired_token_is_refused(api: Api, alice: User) -> None:
    token = log_in(api)["refresh"]
    RefreshToken.objects.update(expires_at=F("expires_at") - timedelta(days=31))
    assert code(api.post(URL, {"refresh": token})) == "token_invalid"


@pytest.mark.postgres
@pytest.mark.parametrize("attempt", [{}, {"attempt": "the same"}])
def test_of_sixteen_exchanges_at_once_one_token_lives(
    committed_db: str, alice: User, at_once, attempt: dict[str, str]
) -> None:
    token = log_in(Api())["refresh"]
    answers = at_once(16, lambda _number: Api().post(URL, {"refresh": token, **attempt}))
    codes = sorted(code(answer) for answer in answers)
    assert codes == (["ok"] * 16 if attempt else ["ok"] + ["token_superseded"] * 15)
    assert len({answer.json()["refresh"] for answer in answers if answer.status_code == 200}) == 1
    assert RefreshToken.objects.filter(consumed_at=None).count() == 1
    assert LoginSession.objects.get().ended_at is None


@pytest.mark.postgres
def test_the_end_of_a_family_outlives_the_refusal(committed_db: str, alice: User, at_once) -> None:
    token = log_in(Api())["refresh"]
    successor = Api().post(URL, {"refresh": token}).json()["refresh"]
    let_pass(11)
    at_once(4, lambda _number: Api().post(URL, {"refresh": token}))
    assert mails(alice) == [("token_reused", "alice@example.org")]  # of four at once, one told her
    (after,) = at_once(1, lambda _number: Api().post(URL, {"refresh": successor}))
    assert code(after) == "token_invalid"


@pytest.mark.postgres
def test_an_exchange_that_races_a_log_out_everywhere_leaves_nothing_alive(
    committed_db: str, alice: User, at_once
) -> None:
    from accounts import actions

    tokens = [log_in(Api())["refresh"] for _ in range(6)]

    def act(number: int) -> object:
        if number == 6:
            return actions.log_out_everywhere(alice)
        return Api().post(URL, {"refresh": tokens[number]})

    for answer in at_once(7, act)[:6]:
        if answer.status_code == 200:
            assert bearer(answer.json()["access"]).get("/api/v1/me/").status_code == 401
            assert code(Api().post(URL, {"refresh": answer.json()["refresh"]})) == "token_invalid"
