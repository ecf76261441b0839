"""Archives keep a thread of the server for as long as they last: one of each process at a time, and seven are left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from config.problems import TooManyRequests

_turn = threading.BoundedSemaphore(1)


def take_turn() -> Callable[[], None]:
    """What ends it again. Raises TooManyRequests while somebody else's goes on."""
    if not _turn.acquire(blocking=False):
        raise TooManyRequests(
            "Another course is being exported or imported. Try again in a minute.", headers={"Retry-After": "30"}
        )
    ended = threading.Lock()

    def end() -> None:
        if ended.acquire(blocking=False):  # once
            _turn.release()

    return end


@contextmanager
def turn() -> Iterator[None]:
    end = take_turn()
    try:
        yield
    finally:
        end()


class Answer:
    """The pieces of an answer. The turn ends with it, also when it is never asked for its first piece."""

    def __init__(self, pieces: Iterator[bytes], end: Callable[[], None]) -> None:
        self._pieces, self._end = pieces, end

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        self._end()
