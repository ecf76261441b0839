"""What schema `stream` knows of uploads. What lies on disk, files.py knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import DictRow

from stream_gateway import problems
from stream_gateway.database import Connection, Database
from stream_gateway.problems import Problem
from stream_gateway.verifier import Claims

CREATING = 0x1EC7_0003  # the advisory lock of those who reserve space; the number means nothing else

MAY_UPLOAD = """
SELECT CASE WHEN NOT (is_active AND erased_at IS NULL AND generation = %(generation)s)
              OR EXISTS (SELECT FROM published.ended_session WHERE session_id = %(login)s) THEN 'token_invalid'
            WHEN NOT permissions && ARRAY['courses.manage', 'courses.manage_all'] THEN 'permission_denied'
            ELSE 'yes' END AS verdict
  FROM published.principal WHERE user_id = %(user)s
"""
FIND = """
SELECT id, owner, size, metadata, unverified_from, expires_at, finished_at
  FROM upload WHERE id = %(id)s AND owner = %(owner)s AND taken_at IS NULL AND expires_at > now()
"""
PROGRESS = """
UPDATE upload
   SET unverified_from = NULL,
       finished_at = CASE WHEN %(whole)s THEN coalesce(finished_at, now()) END,
       expires_at = now() + CASE WHEN %(whole)s THEN %(keep)s ELSE %(expiry)s END
 WHERE id = %(id)s AND taken_at IS NULL AND expires_at > now()
RETURNING expires_at
"""
# Without the person's words; what nobody took ends now, and the sweep takes its file.
ERASE = """
UPDATE upload SET metadata = '', expires_at = CASE WHEN taken_at IS NULL THEN least(expires_at, now()) END
 WHERE owner = %(user_id)s AND (metadata <> '' OR expires_at > now())
"""


@dataclass(frozen=True, slots=True)
class Upload:
    """One that its owner may go on with, or end. `unverified_from`: an offset; what lies behind it does not count yet."""

    id: UUID
    owner: UUID
    size: int
    metadata: str
    unverified_from: int | None
    expires_at: datetime
    finished_at: datetime | None


async def check_may_upload(database: Database, claims: Claims) -> None:
    """Raises Problem: 401, 403."""
    row = await database.one(
        MAY_UPLOAD, {"user": claims.user, "generation": claims.generation, "login": claims.session}
    )
    verdict = row["verdict"] if row else "token_invalid"
    if verdict != "yes":
        raise Problem(problems.PERMISSION_DENIED if verdict == "permission_denied" else problems.TOKEN_INVALID)


async def find(database: Database, upload: UUID, owner: UUID) -> Upload:
    """Raises Problem 404, also for another person's, and for one that expired or that a lesson took."""
    row = await database.one(FIND, {"id": upload, "owner": owner})
    if row is None:
        raise Problem(problems.NOT_FOUND)
    return Upload(**row)


async def held_space(connection: Connection) -> list[DictRow]:
    """`id, owner, size` of every upload that nobody took yet; until the transaction ends nobody else adds one."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", [CREATING])
    rows = await connection.execute("SELECT id, owner, size FROM upload WHERE taken_at IS NULL AND expires_at > now()")
    return await rows.fetchall()


async def insert(connection: Connection, upload: Upload) -> None:
    await connection.execute(
        "INSERT INTO upload (id, owner, size, metadata, expires_at, finished_at) VALUES (%s, %s, %s, %s, %s, %s)",
        [upload.id, upload.owner, upload.size, upload.metadata, upload.expires_at, upload.finished_at],
    )


async def mark_unverified(database: Database, upload: UUID, offset: int | None) -> None:
    """From `offset` on, what comes counts only once its checksum was compared. None: it has none, and counts at once."""
    async with database.connection() as connection:
        await connection.execute("UPDATE upload SET unverified_from = %s WHERE id = %s", [offset, upload])


async def note_progress(
    database: Database, upload: Upload, *, whole: bool, expiry: timedelta, keep: timedelta
) -> datetime:
    """All that is there counts; the time when it expires unless it goes on, or is taken. Raises Problem 404."""
    row = await database.one(PROGRESS, {"id": upload.id, "whole": whole, "expiry": expiry, "keep": keep})
    if row is None:
        raise Problem(problems.NOT_FOUND)
    expires_at: datetime = row["expires_at"]
    return expires_at


async def delete(database: Database, upload: UUID, *, expired: bool) -> bool:
    """Whether there was one to delete: not one that a lesson took, and with `expired` only one whose time is over."""
    row = await database.one(
        "DELETE FROM upload WHERE id = %(id)s AND taken_at IS NULL AND (NOT %(expired)s OR expires_at <= now()) RETURNING id",
        {"id": upload, "expired": expired},
    )
    return row is not None


async def expired(database: Database) -> list[UUID]:
    rows = await database.all(
        "SELECT id FROM upload WHERE taken_at IS NULL AND expires_at <= now() ORDER BY expires_at LIMIT 500", {}
    )
    return [row["id"] for row in rows]


async def unknown(database: Database, uploads: Iterable[UUID]) -> list[UUID]:
    """Those of `uploads` that there is no row of."""
    rows = await database.all(
        "SELECT id FROM unnest(%(ids)s::uuid[]) AS given (id) WHERE NOT EXISTS (SELECT FROM upload WHERE upload.id = given.id)",
        {"ids": list(uploads)},
    )
    return [row["id"] for row in rows]
