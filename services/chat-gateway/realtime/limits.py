"""How many sockets one person may have, and how much one socket may send."""

from __future__ import annotations

import time
from collections.abc import Callable

MOST_SOCKETS = 5  # of a person and a kind (ticket, desk), in all processes: the oldest beyond is closed (elsewhere.py)
RATE = 5.0  # frames a second
BURST = 20
PATIENCE = 20  # frames beyond the limit, each answered by an error, before the socket is closed


class FrameLimit:
    """A token bucket. `take` says how long to wait; who goes on sending regardless is `exhausted`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tokens = float(BURST)
        self._counted = clock()
        self._refused = 0

    def take(self) -> float:
        """0 if the frame is within the limit, else after how many seconds the next one is."""
        now = self._clock()
        self._tokens = min(BURST, self._tokens + (now - self._counted) * RATE)
        self._counted = now
        if self._tokens >= 1:
            self._tokens -= 1
            self._refused = 0
            return 0.0
        self._refused += 1
        return (1 - self._tokens) / RATE

    @property
    def exhausted(self) -> bool:
        return self._refused > PATIENCE
