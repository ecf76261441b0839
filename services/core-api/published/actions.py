"""What core-api asks of other services, by the functions that they publish."""

from __future__ import annotations

from django.db import connection, transaction

from accounts.models import User
from audit.actions import record
from audit.kinds import Kind
from published.models import PlaybackSession


def do_end_playback(playback: PlaybackSession, by: User, reason: str) -> bool:
    """Has stream-gateway end one; False if it was over. Its next segment is refused within a second. PostgreSQL only."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT stream_published.end_playback(%s)", [playback.pk])
        if not cursor.fetchone()[0]:
            return False
        about = {"playback": str(playback.pk), "lesson": str(playback.lesson_id)}
        record(Kind.PLAYBACK_ENDED, actor=by, subject=playback.user or playback, **about, reason=reason)
        return True
