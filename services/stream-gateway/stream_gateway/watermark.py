"""What a player draws over the picture: the viewer's name and a code that is another one every five minutes.

The code is signed with the installation's secret, which only the database knows (migrations/published/create.sql). Who finds
a recording reads the code off it and types it into the admin site's list of playback sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from stream_gateway import problems
from stream_gateway.database import Database
from stream_gateway.problems import Problem

# Five minutes from the session's start, not of the clock: not everybody asks at once. The lookup counts them alike.
CURRENT = """
SELECT stream.watermark_code(number, slot) AS code, name, started_at + (slot + 1) * interval '5 minutes' AS valid_until
  FROM (
    SELECT session.number, session.started_at, coalesce(nullif(viewer.name, ''), viewer.username, 'Preview') AS name,
           greatest(0, floor(extract(epoch FROM now() - session.started_at) / 300))::integer AS slot
      FROM stream.playback_session AS session
      LEFT JOIN published.principal AS viewer ON viewer.user_id = session.user_id
     WHERE session.id = %(playback)s
  ) AS facts
"""


@dataclass(frozen=True, slots=True)
class Watermark:
    name: str
    code: str
    valid_until: datetime

    @property
    def text(self) -> str:
        return f"{self.name} · {self.code}"


async def current(database: Database, playback: UUID) -> Watermark:
    """The one to be drawn now. Raises Problem 404 where there is no such session."""
    row = await database.one(CURRENT, {"playback": playback})
    if row is None:
        raise Problem(problems.NOT_FOUND)
    return Watermark(row["name"], row["code"], row["valid_until"])
