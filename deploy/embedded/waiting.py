"""Waiting for what tells nobody that it has happened: by looking again and again, for a bounded time."""

from __future__ import annotations

import time
from collections.abc import Iterator


def looks(seconds: float, pause: float = 0.05) -> Iterator[None]:
    """One turn at once, then one every `pause` seconds, the last of them after `seconds`: whoever comes out waited in vain."""
    deadline = time.monotonic() + seconds
    while True:
        in_time = time.monotonic() < deadline
        yield
        if not in_time:
            return
        time.sleep(pause)  # between two looks: the condition decides, `seconds` bound it
