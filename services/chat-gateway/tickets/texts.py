"""Which texts are accepted: valid UTF-8 without control characters, of a bounded length."""

from __future__ import annotations

import re
import unicodedata

from tickets.models import CLIENT_ID_MAX_LENGTH, MESSAGE_MAX_LENGTH, TAG_MAX_LENGTH

# Unicode's categories Cc and Cs, in a line and in a text of several.
NOT_IN_LINES = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
NOT_IN_TEXTS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class BadText(ValueError):
    """Says what is wrong, in words for the person who wrote it."""


def clean(text: str, max_length: int = MESSAGE_MAX_LENGTH, refused: re.Pattern[str] = NOT_IN_TEXTS) -> str:
    """`text` with Windows line ends made plain. Raises BadText if it is blank, too long or has control characters."""
    text = text.replace("\r\n", "\n")
    if not text.strip():
        raise BadText("This may not be blank.")
    if len(text) > max_length:
        raise BadText(f"This may have {max_length} characters at most.")
    if refused.search(text):
        raise BadText("Control characters are not allowed.")
    return text


def clean_line(text: str, max_length: int) -> str:
    """Like `clean`, for a text of one line."""
    return clean(text.strip(), max_length, NOT_IN_LINES)


def clean_client_id(client_id: str) -> str:
    """A client's own name for a message: 1 to 64 printable ASCII characters."""
    if not 1 <= len(client_id) <= CLIENT_ID_MAX_LENGTH or not (client_id.isascii() and client_id.isprintable()):
        raise BadText(f"A client id has 1 to {CLIENT_ID_MAX_LENGTH} printable ASCII characters.")
    return client_id


def clean_tag(tag: str) -> str:
    """`tag` in its one spelling: composed, lower case, hyphens for spaces; letters, digits, `-` and `_` alone."""
    tag = re.sub(r"\s+", "-", unicodedata.normalize("NFKC", tag).strip().lower())
    if len(tag) > TAG_MAX_LENGTH or not re.fullmatch(r"\w[\w-]*", tag):
        raise BadText(f"A tag has 1 to {TAG_MAX_LENGTH} letters, digits and hyphens.")
    return tag
