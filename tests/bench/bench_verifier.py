"""What an access token costs a gateway: one it sees for the first time, and one it has seen before.

A player asks for a segment every few seconds with the same token, so nearly all are of the second kind; the first kind is what
a crowd that comes all at once costs. The yardstick is the signature check alone, which no verifier can do without.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import jwt
from contract.vectors import SigningKeys
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

from bench.measure import microseconds, table

sys.path.append(str(Path(__file__).resolve().parents[2] / "services" / "stream-gateway"))
from stream_gateway.verifier import AUDIENCE, ISSUER, REMEMBERED, REQUIRED, TokenVerifier

PEOPLE = 200  # tokens, one after the other, so that no row profits from a warm processor cache alone


def main() -> None:
    keys = SigningKeys()
    verifier = TokenVerifier("unused", lambda _url: keys.jwks())
    verifier.refresh()
    public, jwk = keys.private.public_key(), verifier._keys[keys.kid]
    tokens = [keys.token(jti=f"{n:032x}", username=f"learner-{n}", roles=["learner"]) for n in range(PEOPLE)]
    signed = [(base64.urlsafe_b64decode(s + "=="), m.encode()) for m, _, s in (t.rpartition(".") for t in tokens)]

    def signatures() -> None:
        for signature, message in signed:
            public.verify(signature, message, padding.PKCS1v15(), SHA256())

    def pyjwt() -> None:
        for token in tokens:
            jwt.decode(token, jwk, ["RS256"], {"require": REQUIRED}, audience=AUDIENCE, issuer=ISSUER)

    def cold() -> None:
        verifier._claims.cache_clear()
        warm()

    def warm() -> None:
        for token in tokens:
            verifier.check(token)

    first, again = "gateway, a token not seen before", "gateway, a token seen before"
    calls = {
        "cryptography, RSA-2048 signature alone": signatures,
        "PyJWT, decode with the same checks": pyjwt,
        first: cold,
        again: warm,
    }
    title = f"Verifying an access token of {len(tokens[0])} bytes ({REMEMBERED} are remembered)"
    table(title, microseconds(calls, PEOPLE), "µs", {first: "< 120 µs", again: "< 10 µs"})


if __name__ == "__main__":
    main()
