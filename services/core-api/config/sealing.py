"""Encrypting what the database keeps but must not tell whoever reads it alone: private keys, second factors."""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Unreadable(Exception):
    """What was sealed cannot be opened: LECTERN_SIGNING_KEY_SECRET is not the one that sealed it."""


def seal(purpose: str, plain: bytes) -> bytes:
    """`plain`, encrypted and authenticated under a key of this purpose's own, derived from LECTERN_SIGNING_KEY_SECRET."""
    return _fernet(settings.LECTERN_SIGNING_KEY_SECRET, purpose).encrypt(plain)


def unseal(purpose: str, sealed: bytes) -> bytes:
    """Raises Unreadable."""
    try:
        return _fernet(settings.LECTERN_SIGNING_KEY_SECRET, purpose).decrypt(sealed)
    except InvalidToken as error:
        raise Unreadable from error


@lru_cache(maxsize=8)
def _fernet(secret: str, purpose: str) -> Fernet:
    key = HKDF(hashes.SHA256(), 32, salt=None, info=f"lectern {purpose}".encode()).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(key))
