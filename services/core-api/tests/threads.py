"""Runs the same thing many times at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connections

TIMEOUT = 30  # seconds


def at_once(count: int, call: Callable[[int], object]) -> list[object]:
    """The results of `call(0)` … `call(count - 1)`, started together in threads; what one raises is its result."""
    barrier = threading.Barrier(count)

    def run(number: int) -> object:
        try:
            barrier.wait(TIMEOUT)
            return call(number)
        except Exception as error:  # the caller asserts on it
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count), timeout=TIMEOUT))
