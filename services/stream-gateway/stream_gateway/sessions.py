"""Every write: a session begins, is seen, ends. Each is one transaction; what shrinks access notifies in it."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import structlog
from psycopg import sql
from psycopg.rows import DictRow
from uuid_utils.compat import uuid7

from stream_gateway import metrics, problems
from stream_gateway.access import Package, Playback, Start, cookie_hash
from stream_gateway.database import Connection, Database
from stream_gateway.problems import DATABASE_AWAY, Problem
from stream_gateway.verifier import Claims

LIFETIME = timedelta(hours=12)  # below the day for which core publishes a login's end (access.DECIDE)
PREVIEW_LIFETIME = timedelta(hours=2)
IDLE = timedelta(
    hours=9
)  # a session that nobody used for this long is over; a night's pause is no reason to start again
PREVIEWS_PER_ADDRESS = 10
PREVIEWS_WITHIN = timedelta(minutes=10)
TOLD_FOR = timedelta(minutes=1)  # so long a progressive player whose session was ended is told so, and starts no other
SEEN_EVERY = 15.0  # seconds
NOTED_WITHIN = 0.5  # seconds
PAUSE = timedelta(minutes=1)  # who asks for nothing for longer was not watching meanwhile
ENDED_BY_OTHERS = {"superseded": problems.PLAYBACK_SUPERSEDED, "admin": problems.ACCESS_ENDED}

log = structlog.stdlib.get_logger("stream-gateway")


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request came from, as the session remembers it."""

    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session. `secret` goes into its cookie and is kept nowhere."""

    id: UUID
    secret: str | None
    expires_at: datetime
    superseded: bool = False  # another session had to end for it


async def open_session(database: Database, start: Start, claims: Claims | None, client: Client, limit: int) -> Opened:
    """Begins to play `start` with a cookie. Raises Problem 429 for too many previews from one address."""
    async with database.transaction() as connection:
        if start.grounds == "preview" or claims is None:
            await _check_previews(connection, client)
            return await _insert(connection, "preview", start, None, client)
        await _lock_viewer(connection, claims.user)
        superseded = await _make_room(connection, claims.user, limit)
        opened = await _insert(connection, "hls", start, claims, client)
        return replace(opened, superseded=superseded)


async def open_progressive(database: Database, start: Start, claims: Claims, client: Client, limit: int) -> Playback:
    """This login's running progressive session of the lesson, else a new one.

    Raises Problem where it was ended just now: 409 by other starts, 403 by an admin.
    """
    async with database.transaction() as connection:
        await _lock_viewer(connection, claims.user)
        last = await _last_progressive(connection, start, claims)
        if last and last["lately"] and last["end_reason"] in ENDED_BY_OTHERS:
            raise Problem(ENDED_BY_OTHERS[last["end_reason"]])
        if last and last["playing"]:
            package = Package(last["package_id"], last["path"], last["duration_s"])
            until = _sooner(last["over_at"], start.valid_until)
            return Playback(last["id"], claims.user, start.lesson, package, until, last["last_seen_at"])
        await _make_room(connection, claims.user, limit)
        opened = await _insert(connection, "progressive", start, claims, client)
        until = _sooner(opened.expires_at, start.valid_until)
        return Playback(opened.id, claims.user, start.lesson, start.package, until, datetime.now(UTC))


async def end_session(database: Database, playback: UUID, reason: Literal["viewer", "access_ended"]) -> None:
    """Ends it; once more is as good as once. Who may do it is decided before (access.may_end)."""
    statement = """
        WITH ended AS (
            UPDATE playback_session SET ended_at = now(), end_reason = %(reason)s
             WHERE id = %(playback)s AND ended_at IS NULL RETURNING user_id
        )
        SELECT pg_notify('access_changed', coalesce(user_id::text, '')) FROM ended
    """
    await database.one(statement, {"playback": playback, "reason": reason})


class LastSeen:
    """Notes that sessions are in use, beside the requests: at most every SEEN_EVERY for each, and bytes never wait for it.

    Those of NOTED_WITHIN share a statement: one for each cost more than all decisions (measured, 59 % of the processor time).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: dict[UUID, float] = {}
        self._waiting: list[UUID] = []
        self._running: set[asyncio.Task[None]] = set()

    def note(self, playing: Playback) -> None:
        now, playback = time.time(), playing.id
        if now - max(self._noted.get(playback, 0.0), playing.seen_at.timestamp()) < SEEN_EVERY:
            return
        if len(self._noted) > 50_000:
            self._noted.clear()
        self._noted[playback] = now
        if not self._waiting:
            asyncio.get_running_loop().call_later(NOTED_WITHIN, self._begin)
        self._waiting.append(playback)

    async def settle(self) -> None:
        """Writes what waits, and waits for what is being written."""
        self._begin()
        await asyncio.gather(*self._running)

    def _begin(self) -> None:
        if self._waiting:
            task = asyncio.create_task(self._write(self._waiting))
            self._waiting = []
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _write(self, playbacks: list[UUID]) -> None:
        """A session that somebody locks at this moment is passed over: it is noted the next time."""
        statement = """
            WITH seen AS (
                SELECT id FROM playback_session
                 WHERE id = ANY (%(playbacks)s) AND ended_at IS NULL AND last_seen_at < now() - %(every)s
                   FOR UPDATE SKIP LOCKED
            ), noted AS (
                UPDATE playback_session AS session
                   SET last_seen_at = now(), over_at = least(expires_at, now() + %(idle)s),
                       active_s = active_s + CASE WHEN last_seen_at > now() - %(pause)s
                                                  THEN round(extract(epoch FROM now() - last_seen_at)) ELSE 0 END
                  FROM seen WHERE session.id = seen.id
                RETURNING 1
            )
            SELECT count(*) FROM noted
        """
        times = {"idle": IDLE, "every": timedelta(seconds=SEEN_EVERY), "pause": PAUSE}
        try:
            await self._database.one(statement, {"playbacks": playbacks} | times)
        except DATABASE_AWAY as error:
            log.warning("last_seen_not_noted", playbacks=len(playbacks), reason=type(error).__name__)


async def _lock_viewer(connection: Connection, user: UUID) -> None:
    """One start of a person at a time: counting and then inserting would pass the limit (measured, 56 of 60)."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"playback of {user}"])


async def _make_room(connection: Connection, user: UUID, limit: int) -> bool:
    """Ends what fell idle, then those idle for longest until one more fits; needs the lock. True if somebody was superseded."""
    await connection.execute(
        "UPDATE playback_session SET ended_at = over_at, end_reason = 'idle' "
        "WHERE user_id = %s AND ended_at IS NULL AND over_at <= now()",
        [user],
    )
    superseded = await connection.execute(
        """
        UPDATE playback_session SET ended_at = now(), end_reason = 'superseded'
         WHERE id IN (SELECT id FROM playback_session WHERE user_id = %(user)s AND ended_at IS NULL
                       ORDER BY last_seen_at DESC, id DESC OFFSET %(keep)s)
        """,
        {"user": user, "keep": limit - 1},
    )
    if superseded.rowcount:
        await connection.execute("SELECT pg_notify('access_changed', %s)", [str(user)])
    return superseded.rowcount > 0


async def _check_previews(connection: Connection, client: Client) -> None:
    """Counts under a lock of this address (of its /64: one customer's, in IPv6).

    By the network's ends, which the index knows: of `<<=` a parameter PostgreSQL reads all addresses in it.
    """
    address = ipaddress.ip_address(client.address)
    network = ipaddress.ip_network((address, 64 if address.version == 6 else 32), strict=False)
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"previews from {network}"])
    started = await connection.execute(
        "SELECT count(*) AS started FROM playback_session WHERE kind = 'preview' "
        "AND client_address BETWEEN %s::inet AND %s::inet AND started_at > now() - %s",
        [str(network[0]), str(network[-1]), PREVIEWS_WITHIN],
    )
    row = await started.fetchone()
    if row and row["started"] >= PREVIEWS_PER_ADDRESS:
        wait = str(int(PREVIEWS_WITHIN.total_seconds()))
        raise Problem(problems.TOO_MANY_REQUESTS.but(headers={"Retry-After": wait}))


async def _last_progressive(connection: Connection, start: Start, claims: Claims) -> DictRow | None:
    last = await connection.execute(
        """
        SELECT session.id, session.over_at, session.last_seen_at, session.package_id, package.path, package.duration_s,
               session.ended_at IS NULL AND session.over_at > now() AS playing,
               session.end_reason, session.ended_at > now() - %(while)s AS lately
          FROM playback_session AS session
          JOIN published.package AS package ON package.package_id = session.package_id
         WHERE session.kind = 'progressive' AND session.user_id = %(user)s AND session.lesson_id = %(lesson)s
           AND session.login_session = %(login)s AND session.generation = %(generation)s
         ORDER BY session.started_at DESC LIMIT 1
        """,
        {
            "user": claims.user,
            "lesson": start.lesson,
            "login": claims.session,
            "generation": claims.generation,
            "while": TOLD_FOR,
        },
    )
    return await last.fetchone()


async def _insert(connection: Connection, kind: str, start: Start, claims: Claims | None, client: Client) -> Opened:
    secret = None if kind == "progressive" else secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    expires_at = now + (PREVIEW_LIFETIME if kind == "preview" else LIFETIME)
    playback = uuid7()
    row = {
        "id": playback,
        "user_id": claims and claims.user,
        "lesson_id": start.lesson,
        "package_id": start.package.id,
        "kind": kind,
        "login_session": claims and claims.session,
        "generation": claims and claims.generation,
        "cookie_hash": cookie_hash(secret),
        "client_address": client.address,
        "user_agent": client.user_agent,
        "started_at": now,
        "last_seen_at": now,
        "expires_at": expires_at,
        "over_at": min(expires_at, now + IDLE),
    }
    columns = sql.SQL(", ").join(map(sql.Identifier, row))
    values = sql.SQL(", ").join(map(sql.Placeholder, row))
    await connection.execute(sql.SQL("INSERT INTO playback_session ({}) VALUES ({})").format(columns, values), row)
    metrics.STARTED.labels(kind).inc()
    return Opened(playback, secret, expires_at)


def _sooner(one: datetime, other: datetime | None) -> datetime:
    return one if other is None else min(one, other)
