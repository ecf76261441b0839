"""Dividing credits exactly."""

from __future__ import annotations

from collections.abc import Sequence


def split(total: int, weights: Sequence[int]) -> list[int]:
    """`total` in whole parts in proportion to the weights, by largest remainder (at equal remainders: the earlier part).

    The parts' sum is exactly `total`, and no part is above its weight unless `total` is above their sum. Where all weights
    are zero, the parts are as equal as can be.
    """
    whole = sum(weights)
    if not whole:
        weights, whole = [1] * len(weights), len(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: total * weights[place] % whole, reverse=True)
    for place in by_remainder[: total - sum(parts)]:
        parts[place] += 1
    return parts
