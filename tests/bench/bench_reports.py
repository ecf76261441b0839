"""Reports of progress over HTTP, as gunicorn takes them: of one lesson that a whole class watches, beside lessons of their own.

Each person's report is about a second that nobody reported before. Afterwards everything that was answered with 200 has to be
kept. People share no row, so a class in one lesson should cost what the same people cost in lessons of their own.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import ledger, school
from bench.ledger import person_id
from bench.measure import BUDGET, load, table
from bench.shop import Shop, shop, tokens

WITHIN = 300
PEOPLE, CLIENTS = 50, 16
SIZE = school.Size(100, 1_000)
LONG = 600_000  # ms of each video here
Told = list[set[int]]  # seconds, of each person


def main() -> None:
    with ExitStack() as ending:
        folder = Path(ending.enter_context(TemporaryDirectory(prefix="lectern-bench-", ignore_cleanup_errors=True)))
        server = ending.enter_context(ledger.server(folder))
        school.fill(server, ledger.BASE, "school", SIZE)
        with server.superuser("school") as connection:
            connection.execute(_ONE_CLASS, {"long": LONG, "people": PEOPLE, "first": ledger.FIRST})
        ledger.use("school")
        people = tokens(PEOPLE)
        ledger.use(None)
        rows = []
        with shop(server, "school", people) as running:
            send(running, lambda person: person * school.LESSONS, 0, BUDGET)  # warms up
            for title, lesson in (
                ("lessons of their own", lambda person: (50 + person % 50) * school.LESSONS),
                ("one lesson", lambda person: school.LESSONS + 1),
            ):
                told, rate = send(running, lesson, 1, 2 * BUDGET)
                check_kept(told, lesson)
                rows.append((title, rate))
        table(f"Reports of progress a second, {PEOPLE} people, {CLIENTS} clients ({load()}); none lost", rows, "/s")


def send(running: Shop, lesson: Callable[[int], int], begin: int, seconds: float) -> tuple[Told, float]:
    """What was answered with 200, and how many a second."""
    told: Told = [set() for _ in range(PEOPLE)]
    faults: list[Exception] = []
    until = time.monotonic() + seconds

    def client(place: int) -> None:
        connection = HTTPConnection("127.0.0.1", running.port, timeout=30)
        try:
            second = begin
            while time.monotonic() < until:
                for person in range(place, PEOPLE, CLIENTS):
                    report(connection, running.tokens[person], lesson(person), second % (LONG // 1000))
                    told[person].add(second % (LONG // 1000))
                second += 1
        except Exception as fault:  # told by the thread that waits
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=client, args=[place]) for place in range(CLIENTS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return told, running_total(told) / (time.monotonic() - began)


def running_total(told: Sequence[set[int]]) -> int:
    return sum(len(seconds) for seconds in told)


def report(connection: HTTPConnection, token: str, lesson: int, second: int) -> None:
    body = {"position_s": second, "watched": [[second, second + 1]], "client_time": datetime.now(UTC).isoformat()}
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("PUT", f"/api/v1/lessons/{school.lesson_id(lesson)}/progress/", json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {text.decode()}")


def check_kept(told: Told, lesson: Callable[[int], int]) -> None:
    from learning.models import LessonProgress

    ledger.use("school")
    for person, seconds in enumerate(told):
        kept = LessonProgress.objects.get(user=person_id(person), lesson=school.lesson_id(lesson(person))).watched
        lost = [n for n in seconds if not any(start <= n * 1000 and (n + 1) * 1000 <= end for start, end in kept)]
        if lost:
            sys.exit(f"person {person}: {len(lost)} of {len(seconds)} reports were lost")
    ledger.use(None)


# The bench's people have all courses, since long enough to have watched all of them; nothing of it is reported yet.
_ONE_CLASS = """
DELETE FROM learning_lessonprogress;
UPDATE media_package SET duration_s = %(long)s / 1000;
INSERT INTO learning_enrolment (id, user_id, course_id, source, started_at, end_reason)
SELECT gen_random_uuid(), u.id, c.id, 'grant', now() - interval '90 days', ''
  FROM accounts_user u CROSS JOIN courses_course c
 WHERE u.id IN (SELECT ('00000000-0000-4000-8000-' || %(first)s + n)::uuid FROM generate_series(0, %(people)s - 1) n)
   AND NOT EXISTS (SELECT FROM learning_enrolment e WHERE e.user_id = u.id AND e.course_id = c.id);
UPDATE learning_courseprogress SET allowance_ms = 3600000;
"""

if __name__ == "__main__":
    main()
