"""Sets of moments of a video, as intervals: which of its milliseconds somebody has watched.

A set is a list of half-open intervals (from, to) of whole milliseconds, in order, none empty, no two touching: equal sets are
equal lists. What several devices report is the union of what each reported, so it does not matter how often or in which
order reports arrive: union is commutative, associative and idempotent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

Interval = tuple[int, int]
Intervals = list[Interval]


def union(*sets: Iterable[Sequence[int]]) -> Intervals:
    """The moments that are in any of these. They may be unordered, overlap and hold empty intervals."""
    merged: Intervals = []
    for start, end in sorted((start, end) for start, end in chain(*sets) if start < end):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def without(moments: Intervals, others: Intervals) -> Intervals:
    """The moments of the first set that are not in the second."""
    left: Intervals = []
    place = 0
    for start, end in moments:
        while place < len(others) and others[place][1] <= start:
            place += 1
        behind = place
        while behind < len(others) and others[behind][0] < end:
            if start < others[behind][0]:
                left.append((start, others[behind][0]))
            start = others[behind][1]
            behind += 1
        if start < end:
            left.append((start, end))
    return left


def clipped(moments: Intervals, end: int) -> Intervals:
    """Those before `end`."""
    return [(start, min(stop, end)) for start, stop in moments if start < end]


def earliest(moments: Intervals, length: int) -> Intervals:
    """The first `length` milliseconds of the set."""
    taken: Intervals = []
    for start, end in moments:
        if length <= 0:
            break
        taken.append((start, min(end, start + length)))
        length -= end - start
    return taken


def length(moments: Intervals) -> int:
    """Milliseconds."""
    return sum(end - start for start, end in moments)
