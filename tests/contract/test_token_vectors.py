"""Both gateways say the same of every good and bad token (contract/vectors.py)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from contract import vectors

SERVICES = Path(__file__).resolve().parents[2] / "services"
VERIFIERS = {
    "stream-gateway": SERVICES / "stream-gateway" / "stream_gateway" / "verifier.py",
    "chat-gateway": SERVICES / "chat-gateway" / "realtime" / "verifier.py",
}


@pytest.fixture(scope="module")
def keys() -> vectors.SigningKeys:
    return vectors.SigningKeys()


@pytest.fixture(scope="module", params=VERIFIERS)
def verifier(request: pytest.FixtureRequest) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"verifier_of_{request.param.replace('-', '_')}", VERIFIERS[request.param]
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


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
