"""Jobs are queued with their transaction, and outlive their worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from accounts.tasks import purge_expired_logins
from config import jobs
from deploy.embedded.waiting import looks
from tests import environment


def queued() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT task_name, status FROM procrastinate_jobs ORDER BY id")
        return cursor.fetchall()


@contextmanager
def worker(database: str) -> Iterator[subprocess.Popen[str]]:
    variables = os.environ | {"DATABASE_URL": environment.database_address("core", database)}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "worker"],
        cwd=environment.SERVICE,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    for _ in looks(60):
        if condition():
            return
        assert process.poll() is None, process.communicate()[0]
    raise AssertionError("not within a minute")


@pytest.mark.postgres
def test_a_job_is_queued_if_the_transaction_commits(committed_db: str) -> None:
    with transaction.atomic():
        jobs.defer(purge_expired_logins)
        transaction.set_rollback(True)
    assert queued() == []
    with transaction.atomic():
        jobs.defer(purge_expired_logins)
    assert queued() == [("accounts.tasks.purge_expired_logins", "todo")]


@pytest.mark.postgres
def test_a_job_that_waits_already_is_not_queued_again(committed_db: str) -> None:
    with transaction.atomic():
        for _ in range(2):
            jobs.defer(purge_expired_logins, queueing_lock="once")
        jobs.defer(purge_expired_logins, queueing_lock="another")  # the transaction is still good
    assert len(queued()) == 2


@pytest.mark.postgres
def test_a_killed_workers_job_is_taken_up_again_and_sigterm_is_graceful(committed_db: str) -> None:
    jobs.defer(purge_expired_logins)
    with connection.cursor() as cursor:  # as a worker leaves it that is killed in the middle of the job
        cursor.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')")
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT max(id) FROM procrastinate_workers)"
        )
    with worker(committed_db) as process:
        wait_for(lambda: queued() == [], process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


@pytest.mark.skipif(environment.ON_POSTGRES, reason="PostgreSQL has the queue")
def test_on_sqlite_a_job_runs_in_place_after_the_commit(committed_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def note(word: str) -> None:
        ran.append(word)
        raise RuntimeError("logged, and nobody's request fails")

    with transaction.atomic():
        jobs.defer(note, word="hello")  # type: ignore[arg-type]  # any callable will do in place
        assert ran == []
    assert ran == ["hello"]
