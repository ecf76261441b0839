"""Identifiers of rows that the public sees."""

import uuid

import uuid_utils.compat


def uuid7() -> uuid.UUID:
    """A UUID version 7 (RFC 9562): random, and ordered by time, so that indexes of large tables stay compact."""
    return uuid_utils.compat.uuid7()
