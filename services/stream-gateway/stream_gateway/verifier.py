"""Verifies access tokens with core-api's public keys. The same text stands in both gateways (ADR 5); a test compares them.

What a token may do is not decided here: see `published.principal` (deploy/contracts.md).
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import jwt

ALGORITHM = "RS256"
ISSUER = AUDIENCE = "lectern"
REQUIRED = ["iss", "aud", "sub", "gen", "sid", "typ", "jti", "iat", "exp"]
REFRESH_EVERY = 60.0  # seconds
REFRESH_AT_MOST_EVERY = 10.0  # seconds, for unknown key ids, which anybody can make up
FETCH_TIMEOUT = 2.0  # seconds
REMEMBERED = 10_000  # good tokens, the least used go first: 15 MB; more than those who come back at once


class TokenInvalid(Exception):
    """Malformed, forged, expired, for somebody else or not an access token. Trying again cannot help."""


class UnknownKey(TokenInvalid):
    """Signed with a key that is not among those known; newer keys may know it."""


class KeysUnavailable(Exception):
    """No keys were ever fetched: nothing can be verified yet. Answer 503."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says. `generation` and `session` are still to be checked against core's published facts."""

    user: uuid.UUID
    username: str
    generation: int
    session: uuid.UUID
    expires_at: int  # seconds since the epoch


def fetch_json(url: str) -> str:
    with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT) as answer:  # noqa: S310  the operator's own LECTERN_JWKS_URL
        return str(answer.read(1_000_000), "utf-8")


class _Segments(jwt.PyJWS):
    """PyJWT's rule for base64url, checked by one comparison: its own walk over the characters takes half of a verification.

    Should PyJWT rename what is overridden here, its own check is used again: as safe, and slower (`make bench ARGS=verifier`).
    """

    @staticmethod
    def _decode_base64url_segment(segment: bytes, name: str) -> bytes:
        data = _decoded(segment)
        if base64.urlsafe_b64encode(data).rstrip(b"=") != segment:
            raise jwt.DecodeError(f"Invalid {name}")
        return data


_jwt = jwt.PyJWT()
_jwt._jws = _Segments()


def _decoded(segment: bytes) -> bytes:
    return base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))


def _verified(keys: dict[str, jwt.PyJWK], token: str) -> Claims:
    """The claims of a token that one of `keys` signed, checked entirely. Raises all kinds of errors."""
    options: jwt.types.Options = {"require": REQUIRED}
    key = _key(keys, _kid(token.partition(".")[0]))
    claims = _jwt.decode(token, key, [ALGORITHM], options, audience=AUDIENCE, issuer=ISSUER)
    if claims["typ"] != "access" or type(claims["gen"]) is not int:
        raise TokenInvalid("not an access token")
    return Claims(
        user=uuid.UUID(claims["sub"]),
        username=str(claims.get("username", "")),
        generation=claims["gen"],
        session=uuid.UUID(claims["sid"]),
        expires_at=int(claims["exp"]),
    )


@lru_cache(8)  # the tokens of one key all begin with the same header
def _kid(header: str) -> object:
    return json.loads(_decoded(header.encode())).get("kid")  # jku, jwk and x5u are ignored


def _key(keys: dict[str, jwt.PyJWK], kid: object) -> jwt.PyJWK:
    if not keys:
        raise KeysUnavailable
    if not isinstance(kid, str) or kid not in keys:
        raise UnknownKey("unknown key")
    return keys[kid]


class TokenVerifier:
    """Keeps the public keys and checks tokens with them; safe to share between threads.

    A token that was found good is remembered until its end, or until the keys change. A bad one is looked at again each time.
    """

    def __init__(self, jwks_url: str, fetch: Callable[[str], str] = fetch_json) -> None:
        self._url = jwks_url
        self._fetch = fetch
        self._refreshed = float("-inf")
        self._lock = threading.Lock()
        self._trust([])

    def check(self, token: str) -> Claims:
        """The claims of a good token, with the keys at hand. Raises TokenInvalid or KeysUnavailable."""
        try:
            claims = self._claims(token)
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise TokenInvalid(type(error).__name__) from error
        if claims.expires_at <= time.time():  # since it was seen first
            raise TokenInvalid("expired")
        return claims

    def verify(self, token: str) -> Claims:
        """Like `check`, fetching newer keys where they may help. Blocks for FETCH_TIMEOUT at most."""
        try:
            return self.check(token)
        except (UnknownKey, KeysUnavailable):
            if not self.refresh():
                raise
            return self.check(token)

    async def averify(self, token: str) -> Claims:
        """`verify` for an event loop, which it never blocks."""
        try:
            return self.check(token)
        except (UnknownKey, KeysUnavailable):
            if not await asyncio.to_thread(self.refresh):
                raise
            return self.check(token)

    def refresh(self, at_most_every: float = REFRESH_AT_MOST_EVERY) -> bool:
        """Fetches the keys, unless that was tried moments ago. True if there are keys fetched by now; old ones stay on failure."""
        with self._lock:
            now = time.monotonic()
            if now - self._refreshed < at_most_every:
                return bool(self._keys)
            self._refreshed = now
            try:
                entries = json.loads(self._fetch(self._url))["keys"]
                if entries != self._entries:
                    self._trust(entries)
            except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError):
                return False
            return bool(self._keys)

    async def keep_fresh(self) -> None:
        """Refreshes for ever; cancel it to stop. Until the first keys are there it tries every second."""
        while True:
            await asyncio.to_thread(self.refresh, 0.5)
            await asyncio.sleep(REFRESH_EVERY if self._keys else 1)

    @property
    def ready(self) -> bool:
        return bool(self._keys)

    def _trust(self, entries: list[dict[str, str]]) -> None:
        """From now on these keys (JWKs) count alone: what is remembered by others is dropped, also by checks under way."""
        keys = {entry["kid"]: jwt.PyJWK(entry, ALGORITHM) for entry in entries}
        self._claims: Callable[[str], Claims] = lru_cache(REMEMBERED)(partial(_verified, keys))
        self._keys, self._entries = keys, entries
