"""What a file is, by its own bytes, and what it may be called. What a client says about either counts for nothing.

The signatures, and which bytes no text has, are those of the WHATWG's MIME Sniffing Standard (https://mimesniff.spec.whatwg.org/,
sections 3 and 6). They are looked for at the very beginning: a file that is two things at once (a ZIP behind a GIF, HTML in a
PNG, a ZIP behind a PDF) is the one that it begins as. It is sent as that, to be saved, with nosniff: the other half never runs.
"""

from __future__ import annotations

import codecs
import itertools
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

SIGNATURES = (
    ("image/png", b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", b"\xff\xd8\xff"),
    ("image/gif", b"GIF87a"),
    ("image/gif", b"GIF89a"),
    ("application/pdf", b"%PDF-"),
    ("application/zip", b"PK\x03\x04"),
)
TEXT = "text/plain; charset=utf-8"
NOT_IN_TEXT = bytes({*range(0x09), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)})
# How a file of each type may be called: a picture named .exe, or a text named .html, would do something else when it is opened.
# ZIP archives are also what office programs write.
SUFFIXES = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/gif": (".gif",),
    "image/webp": (".webp",),
    "application/pdf": (".pdf",),
    "application/zip": (".zip", ".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".epub"),
    TEXT: (".txt", ".log", ".csv", ".md", ".json", ".srt", ".vtt"),
}
ACCEPTED = "a picture (PNG, JPEG, GIF, WebP), a PDF, a text in UTF-8 or a ZIP archive"
LONGEST_NAME = 150  # characters


def detect(pieces: Iterable[bytes]) -> str | None:
    """The content type of a file that comes in `pieces`; None where it is none of those that are accepted."""
    rest = iter(pieces)
    first = next(rest, b"")
    for content_type, signature in SIGNATURES:
        if first.startswith(signature):
            return content_type
    if first.startswith(b"RIFF") and first[8:14] == b"WEBPVP":
        return "image/webp"
    return TEXT if _is_text(itertools.chain([first], rest)) else None


def _is_text(pieces: Iterable[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in pieces:
            decoder.decode(piece)
            if len(piece.translate(None, NOT_IN_TEXT)) != len(piece):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def safe_name(name: str, content_type: str) -> str:
    """A name to save the file as: the last part of a path, nothing invisible, not hidden, with a suffix of its type."""
    last = unicodedata.normalize("NFC", name.replace("\\", "/")).rpartition("/")[2]
    seen = "".join(letter for letter in last if not unicodedata.category(letter).startswith("C")).strip(" .")
    path, suffixes = PurePosixPath(seen or "file"), SUFFIXES[content_type]
    fits = path.suffix.lower() in suffixes
    stem, suffix = (path.stem, path.suffix) if fits else (path.name, suffixes[0])
    return stem[: LONGEST_NAME - len(suffix)] + suffix
