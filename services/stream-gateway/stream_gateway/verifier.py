"""Verifies access tokens with core-api's public keys. The same text stands in both gateways (ADR 5); a test compares them.

What a token may do is not decided here: see `published.principal` (deploy/contracts.md).
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import jwt

ALGORITHM = "RS256"
ISSUER = AUDIENCE = "lectern"
REQUIRED = ["iss", "aud", "sub", "gen", "sid", "typ", "jti", "iat", "exp"]
REFRESH_EVERY = 60.0  # seconds
REFRESH_AT_MOST_EVERY = 10.0  # seconds, for unknown key ids, which anybody can make up
FETCH_TIMEOUT = 2.0  # seconds


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


class TokenVerifier:
    """Keeps the public keys and checks tokens with them; safe to share between threads."""

    def __init__(self, jwks_url: str, fetch: Callable[[str], str] = fetch_json) -> None:
        self._url = jwks_url
        self._fetch = fetch
        self._keys: dict[str, jwt.PyJWK] = {}
        self._refreshed = float("-inf")
        self._lock = threading.Lock()

    def check(self, token: str) -> Claims:
        """The claims of a good token, with the keys at hand. Raises TokenInvalid or KeysUnavailable."""
        try:
            header = jwt.get_unverified_header(token)  # for `kid` alone: jku, jwk and x5u are ignored
            key = self._key(header.get("kid"))
            options: jwt.types.Options = {"require": REQUIRED}
            claims = jwt.decode(token, key, [ALGORITHM], options, audience=AUDIENCE, issuer=ISSUER)
            if claims["typ"] != "access" or type(claims["gen"]) is not int:
                raise TokenInvalid("not an access token")
            return Claims(
                user=uuid.UUID(claims["sub"]),
                username=str(claims.get("username", "")),
                generation=claims["gen"],
                session=uuid.UUID(claims["sid"]),
                expires_at=int(claims["exp"]),
            )
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            raise TokenInvalid(type(error).__name__) from error

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
                self._keys = {entry["kid"]: jwt.PyJWK(entry, ALGORITHM) for entry in entries}
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

    def _key(self, kid: object) -> jwt.PyJWK:
        if not self._keys:
            raise KeysUnavailable
        if not isinstance(kid, str) or kid not in self._keys:
            raise UnknownKey("unknown key")
        return self._keys[kid]
