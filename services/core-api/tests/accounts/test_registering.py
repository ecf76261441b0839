"""Making an account."""

from __future__ import annotations

import pytest

from accounts.models import User
from tests.conftest import PASSWORD, Api

CAROL = {"username": "carol", "email": "carol@example.org", "password": PASSWORD}


def test_carol_registers_and_logs_in(api: Api) -> None:
    answer = api.post("/api/v1/auth/register/", CAROL)
    assert answer.status_code == 201
    carol = User.objects.get(username="carol")
    assert answer.json() == {"id": str(carol.pk), "username": "carol", "email": "carol@example.org"}
    assert api.post("/api/v1/auth/token/", {"username": "carol", "password": PASSWORD}).status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "ab"),
        ("username", "carol@example.org"),
        ("username", "c\u0430rol"),  # a Cyrillic letter among them
        ("username", "car\x00ol"),
        ("username", "Erased-1a2b3c4d"),
        ("username", None),
        ("email", "carol"),
        ("email", ["carol@example.org"]),
        ("email", "carol@" + "\ufdfa" * 20 + ".org"),  # eighteen characters each, when normalised
        ("email", "carol@example\uff0ccom.org"),  # a comma, when normalised
        ("password", "short pass"),
        ("password", "passwordpassword"[:8] * 1),
        ("password", "carol@example.org"),
        ("password", "x" * 257),
    ],
)
def test_a_bad_field_is_named(api: Api, field: str, value: object) -> None:
    answer = api.post("/api/v1/auth/register/", CAROL | {field: value})
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert answer.json()["code"] == "invalid"
    assert list(answer.json()["errors"]) == [field]


def test_taken_names_are_told_whatever_their_case(api: Api, alice: User) -> None:
    body = CAROL | {"username": "ALICE", "email": "Alice@Example.Org"}
    answer = api.post("/api/v1/auth/register/", body)
    assert answer.status_code == 422
    assert answer.json()["errors"] == {
        "username": ["That name is taken."],
        "email": ["That e-mail address is in use."],
    }


@pytest.mark.postgres
def test_of_many_who_want_one_name_at_once_one_gets_it(committed_db: str, at_once) -> None:
    answers = at_once(
        8, lambda number: Api().post("/api/v1/auth/register/", CAROL | {"email": f"c{number}@example.org"})
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [422] * 7
    assert User.objects.filter(username="carol").count() == 1


def test_a_body_that_is_not_json_is_malformed(api: Api) -> None:
    answer = api.post("/api/v1/auth/register/", data="{", content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_a_body_that_is_not_an_object_is_invalid(api: Api) -> None:
    answer = api.post("/api/v1/auth/register/", data="[1]", content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_a_password_typed_on_another_keyboard_is_the_same(api: Api) -> None:
    api.post("/api/v1/auth/register/", CAROL | {"password": "ein schöner Abend"})
    answer = api.post("/api/v1/auth/token/", {"username": "carol", "password": "ein scho\u0308ner Abend"})
    assert answer.status_code == 200
