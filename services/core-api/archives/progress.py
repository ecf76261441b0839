"""A progress bar for people at a terminal; silent where nobody looks."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from django.core.management.base import OutputWrapper

WIDTH = 40


class ProgressBar:
    """`advance` is told bytes, of `total`."""

    def __init__(self, total: int, out: OutputWrapper) -> None:
        self._total, self._done, self._shown, self._out = max(1, total), 0, -1, out

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._out.isatty():
            self._out.write("")

    def advance(self, count: int) -> None:
        self._done += count
        percent = min(100, self._done * 100 // self._total)
        if percent != self._shown and self._out.isatty():
            self._shown = percent
            filled = percent * WIDTH // 100
            self._out.write(f"\r[{'#' * filled}{'.' * (WIDTH - filled)}] {percent} %", ending="")
            self._out.flush()
