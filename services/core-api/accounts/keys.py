"""The RS256 key pairs that sign access tokens: rows, so that rotation needs no restart and no writable disk."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from jwt.algorithms import RSAAlgorithm

from accounts.models import SigningKey
from audit.actions import record
from audit.kinds import Kind
from config.sealing import Unreadable, seal, unseal

PURPOSE = "signing keys"
PUBLISHED_AHEAD = timedelta(minutes=2)  # by then every gateway, which looks once a minute, has the new key
CLOCKS_DIFFER = timedelta(minutes=1)
REMEMBERED = 60.0  # seconds that a public key may be used without looking at its row again


class KeyUnreadable(Exception):
    """A private key cannot be decrypted: LECTERN_SIGNING_KEY_SECRET is not the one that encrypted it."""


def signing_key() -> tuple[str, RSAPrivateKey]:
    """The id and the private half of the key that signs now; the very first one is made here. Raises KeyUnreadable."""
    row = _signing_row() or make_first_key()
    return row.kid, _decrypt(bytes(row.private_encrypted))


def verifying_key(kid: str) -> RSAPublicKey | None:
    """The public half of a key whose tokens still count."""
    remembered = _public.get(kid)
    if remembered and remembered[0] > time.monotonic():
        return remembered[1]
    row = _published(timezone.now()).filter(kid=kid).first()
    if row is None:
        _public.pop(kid, None)
        return None
    key = cast(RSAPublicKey, RSAAlgorithm.from_jwk(row.public_jwk))
    _public[kid] = (time.monotonic() + REMEMBERED, key)
    return key


def public_jwks() -> dict[str, list[dict[str, Any]]]:
    """The JWK Set (RFC 7517) of all keys whose tokens count, and of the one that signs next."""
    rows = list(_published(timezone.now()).order_by("created_at")) or [make_first_key()]
    return {"keys": [row.public_jwk for row in rows]}


def make_first_key() -> SigningKey:
    """The key that signs, made if there is none. Two processes that ask at once get the same one."""
    with transaction.atomic():
        _take_turns()
        return _signing_row() or _make(signs_from=timezone.now())


def rotate() -> SigningKey:
    """Publishes a new key, which signs in two minutes; the others verify until the last token they signed is over.

    Where the present key cannot be decrypted any more, the new one signs at once.
    """
    with transaction.atomic():
        _take_turns()
        now = timezone.now()
        SigningKey.objects.filter(verifies_until__lt=now).delete()
        signs_from = now + PUBLISHED_AHEAD if _current_is_readable() else now
        over = signs_from + settings.ACCESS_TOKEN_LIFETIME + CLOCKS_DIFFER
        SigningKey.objects.filter(verifies_until__isnull=True).update(verifies_until=over)
        key = _make(signs_from)
        record(Kind.KEY_ROTATED, actor=None, subject=key)
        return key


_public: dict[str, tuple[float, RSAPublicKey]] = {}  # by kid, with the time until which it may be used unasked


def _published(now: datetime) -> Any:
    return SigningKey.objects.filter(Q(verifies_until__isnull=True) | Q(verifies_until__gt=now))


def _signing_row() -> SigningKey | None:
    return SigningKey.objects.filter(signs_from__lte=timezone.now()).order_by("-signs_from").first()


def _current_is_readable() -> bool:
    row = _signing_row()
    try:
        return row is not None and bool(_decrypt(bytes(row.private_encrypted)))
    except KeyUnreadable:
        return False


def _take_turns() -> None:
    if connection.vendor == "postgresql":  # SQLite has one writer anyway
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('lectern.signing_key'))")


def _make(signs_from: datetime) -> SigningKey:
    private = generate_private_key(public_exponent=65537, key_size=2048)
    jwk = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    numbers = {name: jwk[name] for name in ("e", "kty", "n")}
    thumbprint = hashlib.sha256(
        json.dumps(numbers, separators=(",", ":"), sort_keys=True).encode()
    ).digest()  # RFC 7638
    kid = base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()
    return SigningKey.objects.create(
        kid=kid,
        public_jwk=numbers | {"kid": kid, "use": "sig", "alg": "RS256"},
        private_encrypted=seal(
            PURPOSE,
            private.private_bytes(
                serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        ),
        signs_from=signs_from,
    )


@lru_cache(maxsize=8)
def _decrypt(encrypted: bytes) -> RSAPrivateKey:
    try:
        der = unseal(PURPOSE, encrypted)
    except Unreadable as error:
        raise KeyUnreadable(
            "the signing key in the database cannot be decrypted: restore the LECTERN_SIGNING_KEY_SECRET that made it, "
            "or run `manage.py rotate_signing_key`, after which everybody refreshes their access token"
        ) from error
    return cast(RSAPrivateKey, serialization.load_der_private_key(der, password=None))
