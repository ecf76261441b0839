"""What the other services hold about a person, by what they publish (deploy/contracts.md)."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import OuterRef, Subquery

from accounts.models import User
from courses.models import Lesson
from privacy.sections import Missing, Section, rows
from published.models import PlaybackSession

CHAT = {
    "tickets": "Your support tickets.",
    "messages": "The messages of your tickets, and those that you wrote in others'.",
    "attachments": "The files of your tickets, and those that you sent in others'. Each can be downloaded at its address.",
    "notes": "What you wrote, as an agent, to other agents about tickets.",
    "read_marks": "Up to which message you have read which ticket.",
    "mails": "In which tickets you were last told of unread messages by mail, and when.",
    "assignments": "Tickets that you closed or reopened, and as an agent were given or handed on.",
    "presence": "Whether you counted as there, as an agent.",
}
STREAM = "SELECT has_table_privilege(to_regclass('stream_published.playback_session'), 'SELECT')"
WATERMARK = "SELECT has_function_privilege(to_regprocedure('stream_published.watermark_owner(text)'), 'EXECUTE')"
UPLOADS = "SELECT has_table_privilege(to_regclass('stream_published.upload'), 'SELECT')"
HELD_ABOUT = "SELECT has_function_privilege(to_regprocedure('chat_published.held_about(uuid)'), 'EXECUTE')"


def held_about(user: User) -> Iterator[Section | Missing]:
    """For the person's export. A service whose part is not there (SQLite, migrations not run yet) is named as missing."""
    if _there(STREAM):
        yield Section(
            "stream/playback_sessions", "What you watched, from where.", _playback(user), (PlaybackSession._meta.label,)
        )
        if _there(UPLOADS):
            yield Section("stream/uploads", "Files that you uploaded, and what your app said of them.", _uploads(user))
    else:
        yield Missing("stream", "the video service has not published anything here")
    if _there(HELD_ABOUT):
        yield from _chat(user)
    else:
        yield Missing("chat", "the support chat has not published anything here")


@dataclass(frozen=True)
class Watermarked:
    """The playback whose picture carried a code, and when it did."""

    playback_id: UUID
    shown_from: datetime
    shown_until: datetime


def watermark_owner(code: str) -> Watermarked | None:
    """Who was shown that watermark; None for what is no code, or none that was given out. PostgreSQL only."""
    if not re.fullmatch(r"\s*(?:[0-9A-Za-z]{4}[- ]?){2}[0-9A-Za-z]{4}\s*", code):
        return None
    if not _there(WATERMARK):
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT playback_id, shown_from, shown_until FROM stream_published.watermark_owner(%s)", [code.strip()]
        )
        row = cursor.fetchone()
    return Watermarked(*row) if row else None


def _there(question: str) -> bool:
    """Whether another service's object is there and ours to read: null is no."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute(question)
        return bool(cursor.fetchone()[0])


def _playback(user: User) -> Iterator[dict[str, Any]]:
    titles = Lesson.objects.filter(pk=OuterRef("lesson_id")).values("title")
    watched = PlaybackSession.objects.filter(user_id=user.pk).annotate(title=Subquery(titles)).order_by("started_at")
    return rows(
        watched,
        *("playback_id", "lesson_id", "title", "kind", "started_at", "last_seen_at", "ended_at", "end_reason"),
        *("client_address", "user_agent", "active_s"),
    )


def _uploads(user: User) -> Iterator[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, size, created_at, finished_at, taken_at, metadata FROM stream_published.upload"
            " WHERE owner = %s ORDER BY created_at",
            [user.pk],
        )
        for number, size, began, finished, used, metadata in cursor.fetchall():
            yield {"id": number, "size": size, "began_at": began, "finished_at": finished, "used_at": used} | said(
                metadata
            )


def said(metadata: str) -> dict[str, str]:
    """Upload-Metadata of tus: pairs of a key and a value in Base64."""
    pairs = (pair.strip().partition(" ") for pair in metadata.split(",") if pair.strip())
    return {f"said_{key}": b64decode(value).decode(errors="replace") for key, _, value in pairs}


def _chat(user: User) -> Iterator[Section]:
    """One section for each kind that there are rows of, in the order in which they come."""
    with connection.chunked_cursor() as cursor:
        cursor.execute("SELECT kind, record::text FROM chat_published.held_about(%s)", [user.pk])
        for kind, found in groupby(cursor, key=itemgetter(0)):
            yield Section(
                f"chat/{kind}", CHAT.get(kind, "Kept by the support chat."), (json.loads(row[1]) for row in found)
            )
