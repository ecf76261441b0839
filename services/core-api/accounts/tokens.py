"""Access tokens (JWT, RS256, 10 minutes): simplejwt's classes with our keys and claims. deploy/design.md, section 3."""

from __future__ import annotations

import uuid
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.conf import settings
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken as SimpleAccessToken

from accounts import keys
from accounts.models import LoginSession, User

ISSUER = AUDIENCE = "lectern"


class SigningKeyBackend(TokenBackend):
    """Signs and verifies with the keys of the database. The token's own `jku`, `jwk` and `x5u` headers are ignored."""

    def encode(self, payload: dict[str, Any]) -> str:
        kid, private = keys.signing_key()
        claims = payload | {"iss": self.issuer, "aud": self.audience}
        return jwt.encode(claims, private, algorithm=self.algorithm, headers={"kid": kid})

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """A token that was found good is remembered: then only its key and (by whoever asks, `Token.verify`) its end count."""
        return dict(_found_good(self, token)) if verify and _key(token) else super().decode(token, verify)

    def get_verifying_key(self, token: Any) -> Any:
        key = _key(token)
        if key is None:
            raise jwt.InvalidTokenError("unknown key")
        return key


@lru_cache(1024)  # a person sends the same one for ten minutes, and checking it takes half a millisecond
def _found_good(backend: TokenBackend, token: Any) -> dict[str, Any]:
    return TokenBackend.decode(backend, token)  # what is raised is not remembered


def _key(token: Any) -> RSAPublicKey | None:
    """Of the key's id, which follows from the key itself: whatever a token was verified with is what it would be now."""
    try:
        kid = _kid(str(token).partition(".")[0])
    except jwt.InvalidTokenError:
        return None
    return keys.verifying_key(kid) if isinstance(kid, str) else None


@lru_cache(8)  # the tokens of one key all begin with the same header
def _kid(header: str) -> object:
    return jwt.get_unverified_header(f"{header}..").get("kid")


class AccessToken(SimpleAccessToken):
    """What a person may do is not in it: `roles` are for display, permissions are read from the database."""

    lifetime = settings.ACCESS_TOKEN_LIFETIME
    _token_backend = SigningKeyBackend("RS256", audience=AUDIENCE, issuer=ISSUER)

    @classmethod
    def of(cls, user: User, session: LoginSession) -> AccessToken:
        token = cls()
        token.payload |= {
            "sub": str(user.pk),
            "username": user.username,
            "roles": user.role_names(),
            "gen": user.generation,
            "sid": str(session.pk),
        }
        return token

    def verify(self) -> None:
        """Beyond signature, issuer, audience, type and expiry. Raises TokenError."""
        super().verify()
        payload = self.payload
        try:
            self.user_id, self.session_id = uuid.UUID(payload["sub"]), uuid.UUID(payload["sid"])
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise TokenError("not a person's token") from error
        if type(payload.get("gen")) is not int or "iat" not in payload:
            raise TokenError("incomplete")
