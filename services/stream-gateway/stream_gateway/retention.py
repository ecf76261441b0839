"""Who watched what from where is kept for LECTERN_PLAYBACK_AUDIT_DAYS after a session's start, and no longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from stream_gateway.database import Database

EVERY = 3600.0  # seconds
AT_ONCE = 1000  # rows a statement, so that none holds locks for long

# By the primary key, which holds the time. All of them are over: no session lives for a day (sessions.LIFETIME).
FORGET = """
    DELETE FROM playback_session
     WHERE id IN (SELECT id FROM playback_session WHERE id < %(floor)s ORDER BY id LIMIT %(at_once)s FOR UPDATE SKIP LOCKED)
    RETURNING id
"""

log = structlog.stdlib.get_logger("stream-gateway")


async def forget_old(database: Database, days: int) -> int:
    """Deletes the sessions that began longer ago; how many. Several at once do no harm."""
    floor = _earliest_uuid7(datetime.now(UTC) - timedelta(days=days))
    forgotten = 0
    while rows := len(await database.all(FORGET, {"floor": floor, "at_once": AT_ONCE})):
        forgotten += rows
    if forgotten:
        log.info("playbacks_forgotten", sessions=forgotten)
    return forgotten


def _earliest_uuid7(at: datetime) -> UUID:
    """The smallest UUID version 7 of that time (RFC 9562: 48 bits of milliseconds first)."""
    return UUID(int=int(at.timestamp() * 1000) << 80 | 0x7 << 76 | 0x2 << 62)
