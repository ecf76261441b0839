"""Erases here whom core-api has erased: addresses, user agents and uploads go, times and ids stay (deploy/design.md, section 11).

`published.principal.erased_at` is the fact; a notification only says "look now", and the sweep makes up for a lost one.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from stream_gateway.database import Database
from stream_gateway.uploads import records

# Whoever was let in just before the erasure may still be starting to play: a second pass takes what came after the first
# one, once nothing of it can be on its way any more.
SETTLED_AFTER = timedelta(minutes=1)

# An index of core's on erased_at serves this. A newer erased_at than the one known is a new erasure.
PENDING = """
    SELECT p.user_id, p.erased_at, p.erased_at <= now() - %(settled_after)s AS settled
      FROM published.principal p
      LEFT JOIN erasure e ON e.user_id = p.user_id AND e.erased_at = p.erased_at
     WHERE p.erased_at IS NOT NULL
       AND (e.user_id IS NULL OR NOT e.settled AND p.erased_at <= now() - %(settled_after)s)
     ORDER BY p.erased_at
"""

ERASE = """
    UPDATE playback_session
       SET client_address = NULL, user_agent = '', erased_at = now(),
           ended_at = coalesce(ended_at, now()), end_reason = coalesce(end_reason, 'access_ended')
     WHERE user_id = %(user_id)s AND erased_at IS NULL
"""

NOTE = """
    INSERT INTO erasure (user_id, erased_at, settled) VALUES (%(user_id)s, %(erased_at)s, %(settled)s)
    ON CONFLICT (user_id) DO UPDATE SET erased_at = excluded.erased_at,
        settled = excluded.settled OR erasure.settled AND erasure.erased_at = excluded.erased_at
"""

log = structlog.stdlib.get_logger("stream-gateway")


async def erase_pending(database: Database, settled_after: timedelta = SETTLED_AFTER) -> int:
    """Erases everybody whose turn it is, each in a transaction of their own; how many. Several at once do no harm."""
    people = await database.all(PENDING, {"settled_after": settled_after})
    for person in people:
        async with database.transaction() as connection:
            await connection.execute(ERASE, person)
            await connection.execute(records.ERASE, person)
            await connection.execute(NOTE, person)
        log.info("person_erased", user=str(person["user_id"]), settled=person["settled"])
    return len(people)
