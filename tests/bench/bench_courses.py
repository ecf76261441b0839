"""Whether the catalogue stays as quick as it grows: the same requests to a small school and to a large one.

The median of each request to the API in the process itself (all of it but HTTP), with a person's token, in a school of
10,000 courses, 1,000,000 enrolments and 5,000,000 rows of progress beside one of 100 courses and 1,000 enrolments, in turns; and
how many queries it takes. What is asked finds equally much in both, and is another course, word or person each time.

LECTERN_BENCH_SCHOOL=0.1 leaves the large school its courses, and a tenth of the enrolments and progress.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import ledger, school
from bench.measure import BUDGET, load, nth, table

WITHIN = 900
SCALE = float(os.environ.get("LECTERN_BENCH_SCHOOL") or 1)
SMALL = school.Size(100, 1_000)
LARGE = school.Size(10_000, int(1_000_000 * SCALE))
PEOPLE = 50  # whose tokens are used
Body = dict[str, Any]
Asking = Callable[[int, school.Size], tuple[str, Body | None]]
ROUND = 10  # requests to one school before it is the other's turn


def main() -> None:
    with ExitStack() as ending:
        folder = Path(ending.enter_context(TemporaryDirectory(prefix="lectern-bench-", ignore_cleanup_errors=True)))
        server = ending.enter_context(ledger.server(folder))
        logging.disable(logging.INFO)  # a line a request
        sizes = {"small": SMALL, "large": LARGE}
        for name, size in sizes.items():
            seconds = school.fill(server, ledger.BASE, name, size)
            print(
                f"A school of {size.courses:,} courses, {size.enrolments:,} enrolments and {size.progress:,} rows of progress,"
                f" made in {seconds:.0f} s"
            )
        tokens = {name: _tokens(name) for name in sizes}
        for title, path in READING.items():
            compare(title, lambda number, size, path=path: (path(number, size), None), sizes, tokens)
        compare("A report of progress", report, sizes, tokens)
        ledger.use(None)


def compare(title: str, asked: Asking, sizes: dict[str, school.Size], tokens: dict[str, list[str]]) -> None:
    took: dict[str, list[float]] = {name: [] for name in sizes}
    queries, numbers = dict.fromkeys(sizes, 0), {name: count(1) for name in sizes}
    until: float | None = None
    while until is None or time.monotonic() < until:
        for name, size in sizes.items():
            ledger.use(name)
            for _ in range(ROUND):
                number = next(numbers[name])
                spent, queries[name] = ask(*asked(number, size), tokens[name][number % PEOPLE])
                took[name] += [] if until is None else [spent]  # the first round only warms up
        until = until or time.monotonic() + 2 * BUDGET
    rows = [
        (f"{size.courses:,} courses, {queries[name]} queries", nth(took[name], 0.5)) for name, size in sizes.items()
    ]
    requests = min(len(spans) for spans in took.values())
    table(f"{title}, p50 of {requests} each ({load()})", rows, "ms", {rows[1][0]: "≤ 1.3 x"})


def ask(path: str, put: Body | None, token: str) -> tuple[float, int]:
    """(milliseconds, queries)"""
    from django.test import Client

    client = Client(headers={"Host": "127.0.0.1", "Authorization": f"Bearer {token}"})
    with counted() as made:
        began = time.perf_counter()
        answer = client.get(path) if put is None else client.put(path, put, "application/json")
        spent = (time.perf_counter() - began) * 1000
    if answer.status_code != 200:
        raise RuntimeError(f"{path}: {answer.status_code} {answer.content.decode()}")
    if "/courses/?" in path and not answer.json()["count"]:
        raise RuntimeError(f"{path} found nothing")
    return spent, made[0]


@contextmanager
def counted() -> Iterator[list[int]]:
    from django.db import connection

    made = [0]

    def count_one(execute: Any, *args: Any) -> Any:
        made[0] += 1
        return execute(*args)

    with connection.execute_wrapper(count_one):
        yield made


def _tokens(name: str) -> list[str]:
    from bench.shop import tokens

    ledger.use(name)
    return tokens(PEOPLE)


def _topic(number: int, size: school.Size) -> str:
    return school.topic(number * 37, size)


def _misspelt(number: int, size: school.Size) -> str:
    word = _topic(number, size)
    return word[:3] + word[4:]  # a letter is missing


def _own_course(number: int, size: school.Size) -> int:
    return number % PEOPLE * 7 % size.courses


def report(number: int, size: school.Size) -> tuple[str, Body]:
    """About a lesson that was begun: ten seconds, partly new."""
    lesson, second = _own_course(number, size) * school.LESSONS + number % school.BEGUN, number * 7 % 50
    watched = [[second, second + 10]]
    body = {"position_s": second + 10, "watched": watched, "client_time": datetime.now(UTC).isoformat()}
    return f"/api/v1/lessons/{school.lesson_id(lesson)}/progress/", body


READING: dict[str, Callable[[int, school.Size], str]] = {
    "Catalogue": lambda number, size: "/api/v1/courses/?page=1",
    "Catalogue, filtered and ordered": lambda number, size: (
        f"/api/v1/courses/?language=de&price_min={number % 20}&ordering=price,-published_at"
    ),
    "A course's page": lambda number, size: f"/api/v1/courses/course-{number * 37 % size.courses}/",
    "Search by a word": lambda number, size: f"/api/v1/courses/?search={_topic(number, size)}",
    "Search by the beginning of a word": lambda number, size: f"/api/v1/courses/?search={_topic(number, size)[:6]}",
    "Search by a misspelt word": lambda number, size: f"/api/v1/courses/?search={_misspelt(number, size)}",
    "Progress in a course": lambda number, size: f"/api/v1/courses/course-{_own_course(number, size)}/progress/",
    "Enrolments with progress": lambda number, size: "/api/v1/enrolments/",
}

if __name__ == "__main__":
    main()
