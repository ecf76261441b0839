"""Both gateways say the same of every good and bad token (contract/vectors.py)."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import jwt
import pytest

from contract import vectors


@pytest.fixture(scope="module")
def keys() -> vectors.SigningKeys:
    return vectors.SigningKeys()


@pytest.mark.parametrize("name", vectors.GOOD)
def test_good_tokens_are_taken(verifier: ModuleType, keys: vectors.SigningKeys, name: str) -> None:
    claims = verifier.TokenVerifier("unused", lambda _url: keys.jwks()).verify(vectors.GOOD[name](keys))
    assert (claims.user, claims.session, claims.generation) == (vectors.USER, vectors.SESSION, 0)


@pytest.mark.parametrize("name", vectors.BAD)
def test_bad_tokens_are_refused(verifier: ModuleType, keys: vectors.SigningKeys, name: str) -> None:
    with pytest.raises(verifier.TokenInvalid):
        verifier.TokenVerifier("unused", lambda _url: keys.jwks()).verify(vectors.BAD[name](keys))


def test_without_keys_nothing_is_judged(verifier: ModuleType, keys: vectors.SigningKeys) -> None:
    def unreachable(_url: str) -> str:
        raise OSError("connection refused")

    with pytest.raises(verifier.KeysUnavailable):
        verifier.TokenVerifier("unused", unreachable).verify(keys.token())


# --- Tokens seen before ----------------------------------------------------------------------------------------------


def counting(verifier: ModuleType, keys: vectors.SigningKeys, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[str]]:
    """A verifier that has keys, and a list of the tokens whose signatures it has looked at."""
    looked_at: list[str] = []
    decode = verifier._jwt.decode

    def counted(token: str, *arguments: Any, **options: Any) -> dict[str, Any]:
        looked_at.append(token)
        return dict(decode(token, *arguments, **options))

    monkeypatch.setattr(verifier._jwt, "decode", counted)
    made = verifier.TokenVerifier("unused", lambda _url: keys.jwks())
    made.refresh()
    return made, looked_at


def test_a_good_token_is_verified_once_and_a_bad_one_each_time(
    verifier: ModuleType, keys: vectors.SigningKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, looked_at = counting(verifier, keys, monkeypatch)
    good, bad = keys.token(), keys.token(key=keys.stranger)
    assert made.check(good) == made.check(good)
    for _ in range(2):
        with pytest.raises(verifier.TokenInvalid):
            made.check(bad)
    assert looked_at == [good, bad, bad]


def test_a_remembered_token_ends_when_it_expires(
    verifier: ModuleType, keys: vectors.SigningKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, looked_at = counting(verifier, keys, monkeypatch)
    token = keys.token()
    expires_at = made.check(token).expires_at
    monkeypatch.setattr(verifier.time, "time", lambda: expires_at - 0.01)
    assert made.check(token)
    monkeypatch.setattr(verifier.time, "time", lambda: float(expires_at))
    with pytest.raises(verifier.TokenInvalid):
        made.check(token)
    assert looked_at == [token]


def test_a_token_is_forgotten_with_its_key_and_kept_while_the_keys_stay(
    verifier: ModuleType, keys: vectors.SigningKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, looked_at = counting(verifier, keys, monkeypatch)
    token = keys.token()
    made.check(token)
    assert made.refresh(0)
    made.check(token)
    assert looked_at == [token]
    newer = vectors.SigningKeys("key-2")
    made._fetch = lambda _url: newer.jwks()
    assert made.refresh(0)
    with pytest.raises(verifier.UnknownKey):
        made.check(token)
    same_name = vectors.SigningKeys(keys.kid)
    made._fetch = lambda _url: same_name.jwks()
    assert made.refresh(0)
    with pytest.raises(verifier.TokenInvalid):
        made.check(token)


def test_a_check_under_way_while_its_key_goes_leaves_nothing_behind(
    verifier: ModuleType, keys: vectors.SigningKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = counting(verifier, keys, monkeypatch)
    decode = verifier._jwt.decode

    def key_removed_meanwhile(*arguments: Any, **options: Any) -> dict[str, Any]:
        claims = decode(*arguments, **options)
        made._trust(json.loads(vectors.SigningKeys("key-2").jwks())["keys"])
        return dict(claims)

    monkeypatch.setattr(verifier._jwt, "decode", key_removed_meanwhile)
    assert made.check(keys.token())
    monkeypatch.setattr(verifier._jwt, "decode", decode)
    with pytest.raises(verifier.UnknownKey):
        made.check(keys.token())


def test_no_more_tokens_are_remembered_than_fit(
    verifier: ModuleType, keys: vectors.SigningKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifier, "REMEMBERED", 3)
    made, looked_at = counting(verifier, keys, monkeypatch)
    tokens = [keys.token(jti=str(number)) for number in range(4)]
    for token in [*tokens, tokens[3], tokens[1], tokens[0]]:
        made.check(token)
    assert looked_at == [*tokens, tokens[0]]


@pytest.mark.parametrize(
    "segment", ["", "Zg", "Zm8", "Zm9v", "Zm9vYg", "-_-_", "Zh", "Zg==", "Z", "Zm9v!", "+/+/", "Zm 9", "Zm9v\n"]
)
def test_a_segment_is_judged_as_pyjwt_judges_it_but_for_padding(verifier: ModuleType, segment: str) -> None:
    def judged(by: Any) -> bytes | None:
        try:
            return bytes(by._decode_base64url_segment(segment.encode(), "payload"))
        except (jwt.DecodeError, ValueError):
            return None

    expected = None if segment.endswith("=") else judged(jwt.PyJWS)
    assert judged(verifier._Segments) == expected
