"""Webhook signatures as Stripe makes them: `t=<unix time>,v1=<hex HMAC-SHA256 over "t.body">`."""

from __future__ import annotations

import hashlib
import hmac
import time

from payments.errors import SignatureInvalid

TOLERANCE = 300  # seconds that a signature may be old, or ahead of our clock


def sign(secret: str, body: bytes, at: int | None = None) -> str:
    at = int(time.time()) if at is None else at
    return f"t={at},v1={_digest(secret, str(at), body)}"


def check_signature(secret: str, body: bytes, header: str) -> None:
    """Raises SignatureInvalid unless one `v1` of the header fits the body and its time is near."""
    pairs = [part.strip().split("=", 1) for part in header.split(",") if "=" in part]
    times = [value for name, value in pairs if name == "t"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit()):
        raise SignatureInvalid
    expected = _digest(secret, times[0], body).encode()
    given = [value.encode() for name, value in pairs if name == "v1"]
    if not any(hmac.compare_digest(expected, candidate) for candidate in given):
        raise SignatureInvalid
    if abs(time.time() - int(times[0])) > TOLERANCE:
        raise SignatureInvalid("The event was signed more than five minutes ago, or in the future.")


def _digest(secret: str, at: str, body: bytes) -> str:
    return hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
