"""core-api rotates its signing key; gateways that run all the while, with the keys they fetch, take every good token."""

from __future__ import annotations

import json
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from contract.conftest import Lectern

# What core-api publishes and signs before a rotation, right after it, once the new key signs, and when the old one is over.
ROTATE = """
import json, os
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
import django; django.setup()
from datetime import timedelta
from django.core.management import call_command
from django.db.models import F
from accounts import keys, tokens
from accounts.models import LoginSession, SigningKey, User
user = User.objects.create_user("rotator", "rotator@example.org")
session = LoginSession.objects.create(user=user)
stages = []
def stage():
    stages.append([str(tokens.AccessToken.of(user, session)), json.dumps(keys.public_jwks())])
def let_pass(minutes):
    earlier = {field: F(field) - timedelta(minutes=minutes) for field in ("signs_from", "verifies_until")}
    SigningKey.objects.update(**earlier)
stage()
call_command("rotate_signing_key", stdout=open(os.devnull, "w")); stage()
let_pass(2); stage()
let_pass(12); stage()
user.delete()
print("\\n" + json.dumps(stages))
"""


@pytest.fixture(scope="module")
def stages(lectern: Lectern) -> list[tuple[str, str]]:
    """(an access token, the key set that is published) at each stage."""
    printed = lectern.run("core", "-c", ROTATE).splitlines()[-1]
    return [(token, jwks) for token, jwks in json.loads(printed)]


def test_nobody_is_logged_out_by_a_rotation_and_no_gateway_restarts(
    verifier: ModuleType, stages: list[tuple[str, str]]
) -> None:
    published: list[str] = []
    gateway = verifier.TokenVerifier("unused", lambda _url: published[-1])
    issued = []
    for token, jwks in stages[:3]:
        published.append(jwks)
        gateway.refresh(0)  # as it does once a minute; the new key signs two minutes after it is published
        issued.append(token)
        assert {gateway.verify(good).username for good in issued} == {"rotator"}
    key_ids = [verifier.jwt.get_unverified_header(token)["kid"] for token, _ in stages]
    assert key_ids[0] == key_ids[1] != key_ids[2] == key_ids[3]


def test_a_new_key_is_known_before_it_signs(verifier: ModuleType, stages: list[tuple[str, str]]) -> None:
    after_the_rotation, signed_by_the_new_key = stages[1][1], stages[2][0]
    gateway = verifier.TokenVerifier("unused", lambda _url: after_the_rotation)
    assert gateway.verify(signed_by_the_new_key).username == "rotator"


def test_a_key_whose_last_token_is_over_verifies_nothing(verifier: ModuleType, stages: list[tuple[str, str]]) -> None:
    gateway = verifier.TokenVerifier("unused", lambda _url: stages[3][1])
    with pytest.raises(verifier.TokenInvalid):
        gateway.verify(stages[0][0])
    assert gateway.verify(stages[3][0]).username == "rotator"
