"""Which access tokens are believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import time
import uuid
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.management import call_command
from django.utils import timezone
from rest_framework_simplejwt.backends import TokenBackend

from accounts import keys
from accounts.models import LoginSession, SigningKey, User
from accounts.tokens import AccessToken
from audit.models import Event
from tests.conftest import Api

DAY = 86_400


def claims(user: User, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {
        "iss": "lectern",
        "aud": "lectern",
        "sub": str(user.pk),
        "username": user.username,
        "roles": ["learner"],
        "gen": user.generation,
        "sid": str(LoginSession.objects.create(user=user).pk),
        "typ": "access",
        "jti": uuid.uuid4().hex,
        "iat": now,
        "exp": now + 600,
    }
    return {name: value for name, value in (good | changes).items() if value is not ...}


def sign(payload: dict[str, Any], **headers: Any) -> str:
    kid, private = keys.signing_key()
    return jwt.encode(payload, private, "RS256", headers={"kid": kid} | headers)


def status(token: str) -> int:
    client = Api()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    answer = client.get("/api/v1/me/")
    if answer.status_code == 401:
        assert answer.json()["code"] == "token_invalid"
    return int(answer.status_code)


def test_a_token_says_what_the_design_says(alice: User) -> None:
    session = LoginSession.objects.create(user=alice)
    token = str(AccessToken.of(alice, session))
    header, payload = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
    assert header == {"alg": "RS256", "typ": "JWT", "kid": keys.signing_key()[0]}
    assert payload.pop("exp") - payload.pop("iat") == 600
    assert uuid.UUID(payload.pop("jti"))
    assert payload == {
        "iss": "lectern",
        "aud": "lectern",
        "sub": str(alice.pk),
        "username": "alice",
        "roles": ["learner"],
        "gen": 0,
        "sid": str(session.pk),
        "typ": "access",
    }
    assert status(token) == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(time.time()) - 1},
        {"exp": ...},
        {"aud": "somebody-else"},
        {"aud": ...},
        {"iss": "somebody-else"},
        {"iss": ...},
        {"typ": "refresh"},
        {"typ": ...},
        {"sub": "00000000-0000-0000-0000-000000000000"},
        {"sub": "1; DROP TABLE"},
        {"sub": ...},
        {"sid": "00000000-0000-0000-0000-000000000000"},
        {"sid": 7},
        {"sid": ...},
        {"gen": 1},
        {"gen": "0"},
        {"gen": ...},
        {"jti": ...},
        {"iat": ...},
        {"nbf": int(time.time()) + DAY},
    ],
    ids=str,
)
def test_a_signed_token_with_a_wrong_claim_is_refused(alice: User, changes: dict[str, Any]) -> None:
    assert status(sign(claims(alice))) == 200
    assert status(sign(claims(alice, **changes))) == 401


def test_a_token_of_another_persons_session_is_refused(alice: User, bob: User) -> None:
    assert status(sign(claims(alice, sid=str(LoginSession.objects.create(user=bob).pk)))) == 401


def test_unsigned_and_forged_tokens_are_refused(alice: User) -> None:
    good = claims(alice)
    kid, private = keys.signing_key()
    public_pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    forger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    own_jwk = jwt.algorithms.RSAAlgorithm.to_jwk(forger.public_key(), as_dict=True)
    assert status(jwt.encode(good, "", "none", headers={"kid": kid})) == 401
    assert status(hs256(good, public_pem, kid)) == 401
    assert status(jwt.encode(good, forger, "RS256", headers={"kid": kid})) == 401
    assert status(jwt.encode(good, forger, "RS256", headers={"kid": kid, "jwk": own_jwk})) == 401
    assert status(jwt.encode(good, forger, "RS256", headers={"kid": "made-up", "jku": "http://127.0.0.1/"})) == 401
    assert status(jwt.encode(good, private, "RS512", headers={"kid": kid})) == 401
    assert status(jwt.encode(good, private, "RS256")) == 401  # no kid
    for rubbish in ("", "x", "a.b.c", "é.é.é", "a" * 5000):
        assert status(rubbish) == 401


def hs256(payload: dict[str, Any], secret: bytes, kid: str) -> str:
    """By hand, since PyJWT refuses to use a public key as an HMAC secret."""

    def encode(value: bytes) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    header = {"alg": "HS256", "typ": "JWT", "kid": kid}
    body = b".".join(encode(json.dumps(part).encode()) for part in (header, payload))
    return (body + b"." + encode(hmac.digest(secret, body, hashlib.sha256))).decode()


def test_the_public_keys_are_public_and_nothing_else_is(api: Api, alice: User) -> None:
    token = sign(claims(alice))
    answer = api.get("/.well-known/jwks.json")
    assert answer["Cache-Control"] == "public, max-age=60"
    (jwk,) = answer.json()["keys"]
    assert set(jwk) == {"kty", "n", "e", "kid", "use", "alg"}
    assert jwt.decode(token, jwt.PyJWK(jwk), ["RS256"], audience="lectern", issuer="lectern")["sub"] == str(alice.pk)


def test_a_new_key_is_published_before_it_signs_and_the_old_one_verifies_on(api: Api, alice: User) -> None:
    old_kid, _ = keys.signing_key()
    token = sign(claims(alice))
    call_command("rotate_signing_key", stdout=io.StringIO())
    published = [jwk["kid"] for jwk in api.get("/.well-known/jwks.json").json()["keys"]]
    assert len(published) == 2
    assert Event.objects.filter(kind="key_rotated", subject_id=published[1]).count() == 1
    assert keys.signing_key()[0] == old_kid == published[0]
    SigningKey.objects.filter(kid=published[1]).update(signs_from=timezone.now())  # two minutes later
    assert keys.signing_key()[0] == published[1]
    assert status(token) == status(sign(claims(alice))) == 200


def test_a_key_whose_time_is_over_verifies_nothing(api: Api, alice: User) -> None:
    token = sign(claims(alice))
    assert status(token) == 200
    keys.rotate()
    SigningKey.objects.filter(kid=keys.signing_key()[0]).update(verifies_until=timezone.now())
    keys._public.clear()  # a minute later
    assert status(token) == 401
    assert len(api.get("/.well-known/jwks.json").json()["keys"]) == 1


def test_a_token_that_was_good_is_not_verified_twice(alice: User, verifications: list[str]) -> None:
    token = sign(claims(alice))
    assert [status(token), status(token), status(token)] == [200] * 3
    assert verifications == [token]


def test_a_token_that_was_good_is_refused_at_its_end(alice: User, monkeypatch) -> None:
    token = sign(claims(alice))
    assert status(token) == 200
    later = timezone.now() + timedelta(seconds=601)
    monkeypatch.setattr("rest_framework_simplejwt.tokens.aware_utcnow", lambda: later)
    assert status(token) == 401


def test_a_token_that_was_good_is_no_excuse_for_another_signature(alice: User) -> None:
    token = sign(claims(alice))
    assert status(token) == 200
    signed, _, signature = token.rpartition(".")
    assert status(f"{signed}.{signature[:-8]}AAAAAAAA") == 401
    assert status(token) == 200


def test_a_bad_token_is_looked_at_each_time(alice: User, verifications: list[str]) -> None:
    token = sign(claims(alice, aud="somebody-else"))
    assert [status(token), status(token)] == [401] * 2
    assert verifications == [token] * 2


@pytest.fixture
def verifications(monkeypatch) -> list[str]:
    """The tokens whose signature was checked."""
    checked: list[str] = []
    decode = TokenBackend.decode

    def noted(self: TokenBackend, token: Any, verify: bool = True) -> dict[str, Any]:
        checked.append(str(token))
        return decode(self, token, verify)

    monkeypatch.setattr(TokenBackend, "decode", noted)
    return checked


def test_a_changed_secret_is_told_and_rotation_gets_over_it(alice: User, settings) -> None:
    keys.signing_key()
    settings.LECTERN_SIGNING_KEY_SECRET = "somebody replaced this secret beside an old database"
    keys._decrypt.cache_clear()
    with pytest.raises(keys.KeyUnreadable, match="LECTERN_SIGNING_KEY_SECRET"):
        keys.signing_key()
    keys.rotate()
    assert status(sign(claims(alice))) == 200
    keys._decrypt.cache_clear()


@pytest.mark.postgres
def test_the_first_key_is_made_once_however_many_ask(committed_db: str, at_once) -> None:
    SigningKey.objects.all().delete()
    kids = at_once(8, lambda _number: keys.signing_key()[0])
    assert len(set(kids)) == 1
    assert SigningKey.objects.count() == 1
