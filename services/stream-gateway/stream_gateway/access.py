"""The decision: may this person have these bytes now? One SQL query each, over our sessions and core's published views.

A "yes" is kept for moments (freshness.py); a "no" is raised as a Problem and never kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID

from stream_gateway import metrics, problems
from stream_gateway.database import Database
from stream_gateway.freshness import YesCache
from stream_gateway.problems import Problem
from stream_gateway.verifier import Claims

REFUSALS = {
    kind.code: kind
    for kind in (
        problems.NOT_AUTHENTICATED,
        problems.TOKEN_INVALID,
        problems.NOT_ENROLLED,
        problems.ACCESS_ENDED,
        problems.NOT_FOUND,
        problems.VIDEO_NOT_READY,
        problems.PLAYBACK_SUPERSEDED,
    )
}


class AccessLost(Problem):
    """Refused for what core-api says, while the session still stands as playing: whoever catches this may end it."""


@dataclass(frozen=True, slots=True)
class Package:
    """One packaging of a lesson's video. `path` lies below LECTERN_MEDIA_ROOT and never changes its content."""

    id: UUID
    path: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a lesson. `name` is what a download is called; `path` lies below LECTERN_MEDIA_ROOT and never changes."""

    name: str
    content_type: str
    path: str


@dataclass(frozen=True, slots=True)
class Playback:
    """A session that may have bytes now, until `valid_until` at the latest. `user` is None for a free preview."""

    id: UUID
    user: UUID | None
    lesson: UUID
    package: Package
    valid_until: datetime
    seen_at: datetime  # as the database knew it when it was asked


@dataclass(frozen=True, slots=True)
class Start:
    """What somebody may begin to watch: with an entitlement of theirs, or as a free preview."""

    grounds: Literal["entitled", "preview"]
    lesson: UUID
    package: Package
    valid_until: datetime | None  # None: no end in sight


# What somebody may do takes core-api several tables to say, and is asked only about those who are not enrolled: else it costs more
# than all of the rest (0.33 ms a decision, then 0.06).
# A session's own login is looked up among those that ended within the last day, which is enough: no session lives that long
# (sessions.LIFETIME).
DECIDE = """
SELECT place,
       CASE
         WHEN NOT (by_cookie OR by_token) THEN 'not_found'
         WHEN NOT by_cookie AND token_stale THEN 'token_invalid'
         WHEN end_reason = 'superseded' THEN 'playback_superseded'
         WHEN ended_at IS NOT NULL OR over_at <= now() THEN 'access_ended'
         WHEN NOT coalesce(CASE WHEN user_id IS NULL THEN open_to_all ELSE viewer_good AND (found OR watches_any) END, false)
           THEN 'access_lost'
         WHEN path IS NULL THEN 'not_found'
         ELSE 'yes'
       END AS verdict,
       session_id, user_id, lesson_id, package_id, path, duration_s, last_seen_at,
       CASE WHEN user_id IS NULL OR watches_any THEN over_at ELSE least(over_at, entitled_until) END AS valid_until
  FROM (
    SELECT asked.place, session.id AS session_id, session.user_id, session.lesson_id, session.package_id,
           session.ended_at, session.end_reason, session.over_at, session.last_seen_at,
           package.path, package.duration_s,
           coalesce(session.cookie_hash = asked.cookie, false) AS by_cookie,
           coalesce(session.user_id = asked.user_id, false) AS by_token,
           viewer.is_active AND viewer.erased_at IS NULL AND viewer.generation = session.generation
             AND NOT EXISTS (SELECT FROM published.ended_session WHERE session_id = session.login_session) AS viewer_good,
           NOT coalesce(viewer.is_active AND viewer.erased_at IS NULL AND viewer.generation = asked.generation, false)
             OR EXISTS (SELECT FROM published.ended_session WHERE session_id = asked.login) AS token_stale,
           access.found,
           CASE WHEN NOT access.found THEN
             coalesce((SELECT 'media.watch_any' = ANY (permissions) FROM published.principal
                        WHERE user_id = session.user_id), false)
           END AS watches_any,
           access.until AS entitled_until,
           lesson.is_preview AND lesson.is_published AS open_to_all
      FROM unnest(%(playback)s::uuid[], %(cookie)s::bytea[], %(user)s::uuid[], %(generation)s::int[], %(login)s::uuid[])
             WITH ORDINALITY AS asked (playback, cookie, user_id, generation, login, place)
      JOIN stream.playback_session AS session ON session.id = asked.playback
      LEFT JOIN published.principal AS viewer ON viewer.user_id = session.user_id
      LEFT JOIN published.package AS package ON package.package_id = session.package_id
      LEFT JOIN published.lesson AS lesson ON lesson.lesson_id = session.lesson_id
     CROSS JOIN LATERAL (
        SELECT count(*) > 0 AS found, nullif(max(coalesce(valid_until, 'infinity')), 'infinity') AS until
          FROM published.lesson_access
         WHERE user_id = session.user_id AND lesson_id = session.lesson_id
           AND (valid_until IS NULL OR valid_until > now())
     ) AS access
  ) AS facts
"""

STILL_GOOD = """
SELECT 1 AS good FROM published.principal
 WHERE user_id = %(user)s AND is_active AND erased_at IS NULL AND generation = %(generation)s
   AND NOT EXISTS (SELECT FROM published.ended_session WHERE session_id = %(login)s)
"""

MAY_START = """
SELECT CASE
         WHEN user_id IS NOT NULL AND NOT coalesce(token_good, false) THEN 'token_invalid'
         WHEN entitled OR open_to_all THEN
              CASE WHEN path IS NULL THEN 'video_not_ready' WHEN entitled THEN 'entitled' ELSE 'preview' END
         WHEN user_id IS NULL THEN 'not_authenticated'
         WHEN is_published THEN 'not_enrolled'
         ELSE 'not_found'
       END AS verdict,
       package_id, path, duration_s, CASE WHEN NOT watches_any THEN entitled_until END AS valid_until
  FROM (
    SELECT asked.user_id, package.package_id, package.path, package.duration_s, lesson.is_published,
           viewer.is_active AND viewer.erased_at IS NULL AND viewer.generation = %(generation)s
             AND NOT EXISTS (SELECT FROM published.ended_session WHERE session_id = %(login)s) AS token_good,
           coalesce('media.watch_any' = ANY (viewer.permissions), false) AS watches_any,
           access.until AS entitled_until,
           coalesce(lesson.lesson_id IS NOT NULL
                    AND (access.found OR 'media.watch_any' = ANY (viewer.permissions)), false) AS entitled,
           coalesce(lesson.is_preview AND lesson.is_published, false) AS open_to_all
      FROM (VALUES (%(user)s::uuid, %(lesson)s::uuid)) AS asked (user_id, lesson_id)
      LEFT JOIN published.principal AS viewer ON viewer.user_id = asked.user_id
      LEFT JOIN published.lesson AS lesson ON lesson.lesson_id = asked.lesson_id
      LEFT JOIN published.package AS package ON package.package_id = lesson.package_id
     CROSS JOIN LATERAL (
        SELECT count(*) > 0 AS found, nullif(max(coalesce(valid_until, 'infinity')), 'infinity') AS until
          FROM published.lesson_access
         WHERE user_id = asked.user_id AND lesson_id = asked.lesson_id
           AND (valid_until IS NULL OR valid_until > now())
     ) AS access
  ) AS facts
"""

OPENS_LATER = """
SELECT opens_at FROM published.lesson_opening WHERE user_id = %(user)s AND lesson_id = %(lesson)s
"""

ATTACHMENT = """
SELECT lesson_id, name, content_type, path FROM published.attachment WHERE attachment_id = %(attachment)s
"""

# Whoever may change the course has what is in it, too. Asked of somebody whose token was found to be good.
TEACHES = """
SELECT FROM published.lesson JOIN published.principal ON user_id = %(user)s
 WHERE lesson_id = %(lesson)s
   AND ('courses.manage_all' = ANY (permissions)
        OR 'courses.manage' = ANY (permissions)
           AND EXISTS (SELECT FROM published.instructor AS teacher
                        WHERE teacher.course_id = lesson.course_id AND teacher.user_id = principal.user_id))
"""


def cookie_hash(secret: str | None) -> bytes | None:
    return sha256(secret.encode()).digest() if secret else None


async def may_have_bytes(
    database: Database, cache: YesCache[Playback], playback: UUID, cookie: str | None, claims: Claims | None
) -> Playback:
    """The session, if its cookie or its person asks and nothing has ended. Raises Problem: 401, 403, 404, 409."""
    if not cookie and not claims:
        raise Problem(problems.NOT_AUTHENTICATED)
    decide = partial(_decide, database, playback, cookie, claims)
    return await yes(cache, kept_as(str(playback), cookie, claims), decide)


def kept_as(playback: str, cookie: str | None, claims: Claims | None) -> Hashable:
    """Under what name the cache keeps it that these may have bytes."""
    return playback, cookie, claims and (claims.user, claims.generation, claims.session)


async def may_start(database: Database, lesson: UUID, claims: Claims | None) -> Start:
    """What `claims` (None: nobody in particular) may begin to watch of `lesson`. Raises Problem: 401, 403, 404, 409."""
    row = await _about_start(database, lesson, claims)
    if row["verdict"] in REFUSALS:
        raise await _refusal(database, row["verdict"], lesson, claims)
    package = Package(row["package_id"], row["path"], row["duration_s"])
    return Start(row["verdict"], lesson, package, row["valid_until"])


async def may_download(database: Database, attachment: UUID, claims: Claims | None) -> Attachment:
    """The file, for whoever may open its lesson or change its course. Raises Problem: 401, 403, 404."""
    found = await database.one(ATTACHMENT, {"attachment": attachment})
    lesson = found["lesson_id"] if found else attachment  # an id that no lesson has is answered as any such is
    verdict = (await _about_start(database, lesson, claims))["verdict"]
    if verdict in REFUSALS and verdict != problems.VIDEO_NOT_READY.code:
        kind = REFUSALS[verdict]
        may_not = kind in (problems.NOT_AUTHENTICATED, problems.TOKEN_INVALID)
        if may_not or await database.one(TEACHES, {"lesson": lesson, **_token(claims)}) is None:
            raise await _refusal(database, verdict, lesson, claims)
    if found is None:
        raise Problem(problems.NOT_FOUND)
    return Attachment(found["name"], found["content_type"], found["path"])


async def _about_start(database: Database, lesson: UUID, claims: Claims | None) -> dict[str, Any]:
    row = await database.one(MAY_START, {"lesson": lesson, **_token(claims)})
    assert row is not None  # noqa: S101  VALUES always gives its row; this is for the type checker
    metrics.DECISIONS.labels(row["verdict"]).inc()
    return row


async def _refusal(database: Database, verdict: str, lesson: UUID, claims: Claims | None) -> Problem:
    """What to say to whoever may not: that the lesson opens later, if they have its course."""
    if claims and verdict in (problems.NOT_ENROLLED.code, problems.NOT_FOUND.code):
        later = await database.one(OPENS_LATER, {"user": claims.user, "lesson": lesson})
        if later:
            at = later["opens_at"].astimezone(UTC)
            return Problem(problems.LESSON_NOT_OPEN.but(opens_at=at.strftime("%Y-%m-%dT%H:%M:%SZ")))
    return Problem(REFUSALS[verdict])


async def may_end(database: Database, playback: UUID, cookie: str | None, claims: Claims | None) -> None:
    """Whose session it is may end it, also when it has ended already. Raises Problem: 401, 404."""
    if not cookie and not claims:
        raise Problem(problems.NOT_AUTHENTICATED)
    try:
        await _decide(database, playback, cookie, claims)
    except Problem as problem:
        if problem.kind not in (problems.ACCESS_ENDED, problems.PLAYBACK_SUPERSEDED):
            raise


async def yes(cache: YesCache[Playback], key: Hashable, decide: Callable[[], Awaitable[Playback]]) -> Playback:
    """What `decide` answers, kept for moments; its refusals are raised, so never kept."""
    answer = await cache.get(key, decide, valid_until=lambda playback: playback.valid_until)
    assert answer is not None  # noqa: S101  for the type checker: `decide` never answers None
    return answer


async def _decide(database: Database, playback: UUID, cookie: str | None, claims: Claims | None) -> Playback:
    row = await database.each(DECIDE, {"playback": playback, "cookie": cookie_hash(cookie), **_token(claims)})
    verdict = row["verdict"] if row else "not_found"
    metrics.DECISIONS.labels(verdict).inc()
    if verdict == "access_lost":
        raise AccessLost(problems.ACCESS_ENDED)
    if row is None or verdict in REFUSALS:
        if verdict == "not_found" and claims and not await database.one(STILL_GOOD, _token(claims)):
            raise Problem(problems.TOKEN_INVALID)  # as anywhere else, whatever was asked for
        raise Problem(REFUSALS[verdict])
    package = Package(row["package_id"], row["path"], row["duration_s"])
    return Playback(
        row["session_id"], row["user_id"], row["lesson_id"], package, row["valid_until"], row["last_seen_at"]
    )


def _token(claims: Claims | None) -> dict[str, object]:
    return {
        "user": claims and claims.user,
        "generation": claims and claims.generation,
        "login": claims and claims.session,
    }
