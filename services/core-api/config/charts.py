"""Bar charts as SVG, drawn on the server: our pages run no inline script and take no inline style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT = 720, 160  # of the drawing, in its own units: it scales with the page
GAP = 4  # between two days' bars


@dataclass(frozen=True)
class Series:
    """Numbers of one kind, one for each day, none of them negative."""

    name: str
    values: Sequence[int]

    @property
    def total(self) -> int:
        return sum(self.values)


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    series: int  # 1 or 2: its colour
    title: str


@dataclass(frozen=True)
class Chart:
    """One or two series over days. The first grows up from a line, the second hangs down from it."""

    title: str
    days: Sequence[date]
    series: Sequence[Series]

    @property
    def summary(self) -> str:
        """The chart in one sentence, for whoever does not see it."""
        totals = ", ".join(f"{series.total:,} {series.name}" for series in self.series)
        return f"{self.title}, {self.days[0]} to {self.days[-1]}: {totals}."

    @property
    def rows(self) -> list[tuple[date, list[int]]]:
        """The same numbers for a table, the newest day first."""
        numbers = zip(*(series.values for series in self.series), strict=True)
        return [(day, list(values)) for day, values in zip(self.days, numbers, strict=True)][::-1]

    @property
    def highest(self) -> int:
        return max(self._highs())

    @property
    def baseline(self) -> float:
        """Where zero is, so that both series have the same scale."""
        highs = self._highs()
        return round(HEIGHT * highs[0] / (sum(highs) or 1), 1) if sum(highs) else float(HEIGHT)

    @property
    def bars(self) -> list[Bar]:
        slot = WIDTH / len(self.days)
        scale = HEIGHT / (sum(self._highs()) or 1)
        drawn = []
        for number, series in enumerate(self.series, start=1):
            for place, (day, value) in enumerate(zip(self.days, series.values, strict=True)):
                if value:
                    height = round(value * scale, 1)
                    top = round(self.baseline - height, 1) if number == 1 else self.baseline
                    title = f"{day}: {value:,} {series.name}"
                    drawn.append(Bar(round(place * slot, 1), top, round(slot - GAP, 1), height, number, title))
        return drawn

    def _highs(self) -> list[int]:
        return [max(series.values, default=0) for series in self.series]
