"""Which tokens are good. The same module stands in chat-gateway, so this tests both, with the vectors they share."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from contract.vectors import BAD, GOOD, SESSION, USER, SigningKeys

from stream_gateway.verifier import Claims, KeysUnavailable, TokenInvalid, TokenVerifier, UnknownKey


class Published:
    """core-api's /.well-known/jwks.json."""

    def __init__(self, *bodies: str) -> None:
        self.bodies, self.fetched = list(bodies), 0

    def __call__(self, _url: str) -> str:
        self.fetched += 1
        body = self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0]
        if body == "away":
            raise OSError("connection refused")
        return body


@pytest.fixture
def verifier(keys: SigningKeys) -> TokenVerifier:
    made = TokenVerifier("", Published(keys.jwks()))
    assert made.refresh()
    return made


@pytest.mark.parametrize("name", GOOD)
def test_a_good_token(verifier: TokenVerifier, keys: SigningKeys, name: str) -> None:
    claims = verifier.verify(GOOD[name](keys))
    assert isinstance(claims, Claims)
    assert (claims.user, claims.session, claims.username, claims.generation) == (USER, SESSION, "alice", 0)
    assert claims.expires_at > time.time()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token(verifier: TokenVerifier, keys: SigningKeys, name: str) -> None:
    with pytest.raises(TokenInvalid):
        verifier.verify(BAD[name](keys))


@pytest.mark.parametrize(
    "body", ["away", "<html>", "[]", "{}", '{"keys": []}', '{"keys": [{"kid": "a", "kty": "RSA"}]}', '{"keys": [7]}']
)
def test_without_keys_nothing_is_decided(keys: SigningKeys, body: str) -> None:
    verifier = TokenVerifier("", Published(body))
    with pytest.raises(KeysUnavailable):
        verifier.verify(keys.token())
    assert not verifier.ready


def test_the_first_token_fetches_the_keys(keys: SigningKeys) -> None:
    published = Published(keys.jwks())
    verifier = TokenVerifier("", published)
    for _ in range(5):
        assert verifier.verify(keys.token()).user == USER
    assert published.fetched == 1


def test_keys_stay_while_core_is_away(keys: SigningKeys) -> None:
    verifier = TokenVerifier("", Published(keys.jwks(), "away"))
    assert verifier.refresh(0)
    assert not verifier.refresh(0)
    assert verifier.verify(keys.token()).user == USER


def test_a_new_key_is_learned_from_its_first_token_and_the_old_one_goes(keys: SigningKeys) -> None:
    newer = SigningKeys("key-2")
    verifier = TokenVerifier("", Published(keys.jwks(), newer.jwks()))
    verifier.refresh()
    verifier._refreshed -= 11  # ten seconds ago and a little
    assert verifier.verify(newer.token()).user == USER
    with pytest.raises(UnknownKey):
        verifier.verify(keys.token())


def test_made_up_key_ids_do_not_make_it_ask_core_for_each(verifier: TokenVerifier, keys: SigningKeys) -> None:
    published: Any = verifier._fetch
    for number in range(50):
        with pytest.raises(TokenInvalid):
            verifier.verify(keys.token(headers={"kid": f"made-up-{number}"}))
    assert published.fetched == 1


async def test_fetching_never_blocks_the_event_loop(keys: SigningKeys) -> None:
    go_on = threading.Event()

    def slow(_url: str) -> str:
        go_on.wait(5)
        return keys.jwks()

    verifier = TokenVerifier("", slow)
    verifying = asyncio.create_task(verifier.averify(keys.token()))
    await asyncio.sleep(0.01)
    assert not verifying.done()  # and yet this line runs
    go_on.set()
    assert (await verifying).user == USER


async def test_it_keeps_asking_until_the_first_keys_are_there(keys: SigningKeys) -> None:
    published = Published("away", keys.jwks())
    verifier = TokenVerifier("", published)
    keeping = asyncio.create_task(verifier.keep_fresh())
    async with asyncio.timeout(3):
        while not verifier.ready:  # noqa: ASYNC110  another thread sets it
            await asyncio.sleep(0.01)
    keeping.cancel()
    assert published.fetched == 2
