"""The headers of tus 1.0 (https://tus.io/protocols/resumable-upload), read and checked."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

from stream_gateway import problems
from stream_gateway.problems import Problem

VERSION = problems.TUS_1
EXTENSIONS = "creation,creation-with-upload,termination,expiration,checksum"
CHUNK_TYPE = "application/offset+octet-stream"
CHUNK = 8 * 1024 * 1024  # bytes that clients should send at once: a cut costs little, and a token outlives it
LARGEST_CHUNK = 64 * 1024 * 1024  # bytes; nginx/templates/routes.conf.template says the same
ALGORITHMS = {"sha1": 20, "sha256": 32, "sha512": 64}  # tus wants the first; bytes of a digest
LONGEST_METADATA = 2000  # characters

_NUMBER = re.compile(r"[0-9]{1,18}")
KEY = r"[!-+\--~]{1,60}"  # ASCII without spaces and commas
BASE64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
METADATA = f"^(?:{KEY}(?: {BASE64})?(?:,{KEY}(?: {BASE64})?)*)?$"  # for API documents, which cannot say "each key once"


@dataclass(frozen=True, slots=True)
class Checksum:
    algorithm: str
    digest: bytes


def check_version(headers: Mapping[str, str]) -> None:
    """Raises Problem 412."""
    if headers.get("tus-resumable") != VERSION:
        raise Problem(problems.TUS_VERSION)


def length(headers: Mapping[str, str]) -> int:
    """Bytes of the whole upload. Raises Problem 400, also where the length is to come later: the quota needs it now."""
    return _number(headers, "Upload-Length")


def offset(headers: Mapping[str, str]) -> int:
    return _number(headers, "Upload-Offset")


def metadata(headers: Mapping[str, str]) -> str:
    """Upload-Metadata as it came, found to be what tus demands: `key base64` pairs, each key once. Raises Problem 400."""
    text = headers.get("upload-metadata", "").strip()
    keys = [_key(pair) for pair in text.split(",")] if text else []
    if len(text) > LONGEST_METADATA or len(set(keys)) < len(keys):
        raise _bad("Upload-Metadata", f"pairs of a key and a value in Base64, {LONGEST_METADATA} characters at most")
    return text


def checksum(headers: Mapping[str, str]) -> Checksum | None:
    """Raises Problem 400."""
    if (text := headers.get("upload-checksum")) is None:
        return None
    algorithm, _, encoded = text.strip().partition(" ")
    digest = _decoded(encoded)
    if digest is None or len(digest) != ALGORITHMS.get(algorithm):
        raise _bad("Upload-Checksum", f"one of {', '.join(ALGORITHMS)}, a space and the digest in Base64")
    return Checksum(algorithm, digest)


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name.lower(), "")
    if not _NUMBER.fullmatch(text):
        raise _bad(name, "a number of bytes")
    return int(text)


def _key(pair: str) -> str:
    key, _, value = pair.strip().partition(" ")
    if not re.fullmatch(KEY, key) or _decoded(value) is None:
        raise _bad("Upload-Metadata", "pairs of a key and a value in Base64, separated by commas")
    return key


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _bad(name: str, should_be: str) -> Problem:
    return Problem(problems.UPLOAD_HEADER.but(detail=f"The header {name} should be {should_be}."))
