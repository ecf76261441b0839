"""The codes of certificates: 100 random bits in Crockford's base 32, which has no letters that look like digits."""

from __future__ import annotations

import secrets

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # https://www.crockford.com/base32.html
CODE_LENGTH = 20
SAME = str.maketrans({"o": "0", "i": "1", "l": "1", "-": None})


def new_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def as_kept(typed: str) -> str:
    """A code as somebody reads it off paper: in any case of letters, with hyphens, an O for a zero."""
    return typed.lower().translate(SAME)


def readable(code: str) -> str:
    """In groups of five."""
    return "-".join(code[place : place + 5] for place in range(0, len(code), 5))
