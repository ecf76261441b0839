"""Access tokens, good and bad, that every verifier must judge alike: `GOOD` and `BAD` name a maker for each.

keys = SigningKeys(); BAD["alg none"](keys) -> the token; keys.jwks() -> what /.well-known/jwks.json would say
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

USER = uuid.UUID("0b6f4a52-0000-4000-8000-000000000001")
SESSION = uuid.UUID("0b6f4a52-0000-4000-8000-000000000002")


class SigningKeys:
    """core-api's private key with its published half, and a stranger's key that nobody publishes."""

    def __init__(self, kid: str = "key-1") -> None:
        self.kid = kid
        self.private = rsa.generate_private_key(65537, 2048)
        self.stranger = rsa.generate_private_key(65537, 2048)

    def jwks(self) -> str:
        return json.dumps({"keys": [public_jwk(self.private, self.kid)]})

    def public_pem(self) -> bytes:
        public = self.private.public_key()
        return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def token(
        self, *, without: str | None = None, headers: dict[str, Any] | None = None, key: Any = None, **changes: Any
    ) -> str:
        """An access token as core-api makes it, with `changes` to its claims."""
        payload = {**claims(), **changes}
        payload.pop(without or "", None)
        return jwt.encode(payload, key or self.private, "RS256", headers={"kid": self.kid, **(headers or {})})


def claims() -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": "lectern",
        "aud": "lectern",
        "sub": str(USER),
        "username": "alice",
        "roles": ["learner"],
        "gen": 0,
        "sid": str(SESSION),
        "typ": "access",
        "jti": str(uuid.uuid4()),
        "iat": now,
        "exp": now + 600,
    }


def public_jwk(private: rsa.RSAPrivateKey, kid: str) -> dict[str, Any]:
    return {
        **jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key(), as_dict=True),
        "kid": kid,
        "use": "sig",
        "alg": "RS256",
    }


def unsigned(header: dict[str, Any], payload: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(payload).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def _signed_with_the_public_key(keys: SigningKeys) -> str:
    """The classic confusion: the published key used as an HMAC secret."""
    text = unsigned({"alg": "HS256", "typ": "JWT", "kid": keys.kid}, claims())[:-1]
    return unsigned(
        {"alg": "HS256", "typ": "JWT", "kid": keys.kid},
        json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "==")),
        hmac.new(keys.public_pem(), text.encode(), hashlib.sha256).digest(),
    )


def _strangers_key(**headers: Any) -> Callable[[SigningKeys], str]:
    return lambda keys: keys.token(key=keys.stranger, headers=headers)


def _with_another_payload(keys: SigningKeys) -> str:
    header, _, signature = keys.token().split(".")
    payload = unsigned({}, {**claims(), "sub": str(uuid.uuid4())}).split(".")[1]
    return f"{header}.{payload}.{signature}"


def _own_jwk(keys: SigningKeys) -> str:
    return keys.token(key=keys.stranger, headers={"jwk": public_jwk(keys.stranger, keys.kid)})


GOOD: dict[str, Callable[[SigningKeys], str]] = {
    "as core-api makes it": lambda keys: keys.token(),
    "with more claims than needed": lambda keys: keys.token(locale="de"),
    "jku header of its own, rightly signed": lambda keys: keys.token(headers={"jku": "https://evil.example/jwks.json"}),
}

BAD: dict[str, Callable[[SigningKeys], str]] = {
    "empty": lambda _keys: "",
    "no token at all": lambda _keys: "not-a-token",
    "three empty parts": lambda _keys: "..",
    "not ASCII": lambda _keys: "tökén.ä.ö",
    "deeply nested header": lambda _keys: base64.urlsafe_b64encode(b"[" * 30_000).decode() + ".e30.eA",
    "expired": lambda keys: keys.token(exp=int(time.time()) - 1),
    "not valid yet": lambda keys: keys.token(nbf=int(time.time()) + 60),
    "issued in the future": lambda keys: keys.token(iat=int(time.time()) + 60),
    "alg none": lambda keys: unsigned({"alg": "none", "typ": "JWT", "kid": keys.kid}, claims()),
    "alg none in capitals": lambda keys: unsigned({"alg": "NONE", "typ": "JWT", "kid": keys.kid}, claims()),
    "HS256 with the public key": _signed_with_the_public_key,
    "RS512 with the right key": lambda keys: jwt.encode(claims(), keys.private, "RS512", headers={"kid": keys.kid}),
    "another payload under the signature": _with_another_payload,
    "another audience": lambda keys: keys.token(aud="elsewhere"),
    "another issuer": lambda keys: keys.token(iss="https://evil.example"),
    "a refresh token": lambda keys: keys.token(typ="refresh"),
    "unknown kid": _strangers_key(kid="key-999"),
    "a stranger's key under our kid": _strangers_key(),
    "a stranger's key, jku pointing to it": _strangers_key(jku="https://evil.example/jwks.json"),
    "a stranger's key, x5u pointing to it": _strangers_key(x5u="https://evil.example/cert.pem"),
    "a stranger's key in its own jwk header": _own_jwk,
    "no kid": lambda keys: jwt.encode(claims(), keys.private, "RS256"),
    "gen as text": lambda keys: keys.token(gen="0"),
    "gen as a boolean": lambda keys: keys.token(gen=True),
    "sub that is no UUID": lambda keys: keys.token(sub="alice"),
    "sid that is no text": lambda keys: keys.token(sid=7),
    **{
        f"without {name}": (lambda keys, name=name: keys.token(without=name))  # type: ignore[misc]  # a default binds the name now
        for name in ("iss", "aud", "sub", "gen", "sid", "typ", "jti", "iat", "exp")
    },
}
