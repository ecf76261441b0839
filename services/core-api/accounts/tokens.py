"""Access tokens (JWT, RS256, 10 minutes): simplejwt's classes with our keys and claims. deploy/design.md, section 3."""

from __future__ import annotations

import uuid
from typing import Any

import jwt
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

    def get_verifying_key(self, token: Any) -> Any:
        kid = jwt.get_unverified_header(token).get("kid")
        key = keys.verifying_key(kid) if isinstance(kid, str) else None
        if key is None:
            raise jwt.InvalidTokenError("unknown key")
        return key


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
