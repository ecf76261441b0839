"""How much video somebody can have watched: at most as much as passes while a clock of ours runs, at double speed.

Each person has an allowance of video for each course. It grows by twice the time that passes on the server's clock, from
the moment they enrolled, and what they newly watched is taken from it; watching a part again costs nothing. Reports of a
client that was offline are believed as far as the allowance goes that grew meanwhile, and it grows no further than MOST.
What a report claims beyond is left out: in 10 s nobody watched 600 s.
"""

from __future__ import annotations

from datetime import datetime, timedelta

SPEED = 2  # the fastest that players play
AT_FIRST = 60_000  # ms of video, for what was watched just before the first report, and for clocks that differ
MOST = 4 * 3600 * 1000  # ms of video: two hours offline at double speed, four at normal speed


def allowance(left_ms: int, since: datetime, now: datetime) -> int:
    """Milliseconds of video that may be new now, where `left_ms` of them were left at `since`."""
    passed = max(now - since, timedelta()) // timedelta(milliseconds=1)
    return min(MOST, left_ms + SPEED * passed)
