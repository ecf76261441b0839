"""Identifiers of rows that the public sees."""

import uuid
from datetime import datetime

import uuid_utils.compat


def uuid7() -> uuid.UUID:
    """A UUID version 7 (RFC 9562): random, and ordered by time, so that indexes of large tables stay compact."""
    return uuid_utils.compat.uuid7()


def earliest_uuid7(at: datetime) -> uuid.UUID:
    """The smallest UUID version 7 made at that time: all ids made since then are as large or larger."""
    milliseconds = int(at.timestamp() * 1000)
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | 0x2 << 62)
