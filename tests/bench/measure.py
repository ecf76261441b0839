"""How the benches measure and print (README.md)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

import psutil

BUDGET = float(os.environ.get("LECTERN_BENCH_SECONDS") or 2)  # seconds for one row


def microseconds(calls: Mapping[str, Callable[[], object]], at_once: int = 1) -> list[tuple[str, float]]:
    """The processor time of one call of each, as rows for `table`. `at_once`: through how many inputs a call goes.

    They take turns in short rounds and the best round of each counts: whatever else a machine does only ever adds.
    """
    best = dict.fromkeys(calls, float("inf"))
    numbers = {name: max(1, int(0.01 / max(_seconds(call, 1), 1e-7))) for name, call in calls.items()}
    until = time.monotonic() + BUDGET * len(calls)
    while True:
        for name, call in calls.items():
            best[name] = min(best[name], _seconds(call, numbers[name]) / numbers[name])
        if time.monotonic() > until:
            return [(name, seconds / at_once * 1e6) for name, seconds in best.items()]


def _seconds(call: Callable[[], object], number: int) -> float:
    began = time.process_time()
    for _ in range(number):
        call()
    return time.process_time() - began


def table(title: str, rows: Sequence[tuple[str, float]], unit: str, goals: Mapping[str, str] | None = None) -> None:
    """Prints name, value, and ratio to the first row; `goals` stand beside their rows."""
    first, wide = rows[0][1], max(len(name) for name, _ in rows)
    print(f"\n{title}\n")
    for name, value in rows:
        goal = f"   goal: {goals[name]}" if goals and name in goals else ""
        print(f"  {name:<{wide}}  {value:10.2f} {unit}  {value / first:8.2f} x{goal}".rstrip())


def nth(values: Sequence[float], share: float) -> float:
    """`nth(spans, 0.99)`: what 99 of 100 do not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def load() -> str:
    """Of this machine now; and what its host, where it has one, took of the processors since the last time."""
    taken = getattr(psutil.cpu_times_percent(), "steal", 0.0)
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {taken:.0f} % taken by the host"
