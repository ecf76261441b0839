"""Handing work to the job queue.

On PostgreSQL a job is a row, inserted in the caller's transaction: it runs, in another process, if and only if the
transaction commits. On SQLite (development) there is no queue: the job runs in place, right after the commit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connections, transaction

if TYPE_CHECKING:
    from procrastinate.tasks import Task
    from procrastinate.types import TimeDeltaParams

DEFAULT = "default"
PACKAGING = "packaging"


def defer(
    task: Task[..., Any, Any],
    *,
    lock: str | None = None,
    queueing_lock: str | None = None,
    delay_s: int = 0,
    **kwargs: Any,
) -> None:
    """Has `task` run with `kwargs` (JSON values only) `delay_s` seconds after the transaction around this call commits.

    Jobs with the same `lock` never run at the same time. A job whose `queueing_lock` is waiting already is not queued
    again. A task takes no job context, so that it can run in place too; what it raises in place is logged.
    """
    if not settings.ON_POSTGRES:

        def run() -> None:  # not a partial: Django names the function when it logs what it raised
            task(**kwargs)

        def run_later() -> None:
            _run_later(delay_s, run)

        transaction.on_commit(run_later if delay_s else run, robust=True)
        return
    from procrastinate.exceptions import AlreadyEnqueued

    try:
        with transaction.atomic():  # a refused insert must not spoil the caller's transaction
            later: TimeDeltaParams | None = {"seconds": delay_s} if delay_s else None
            task.configure(lock=lock, queueing_lock=queueing_lock, schedule_in=later).defer(**kwargs)
    except AlreadyEnqueued:
        return


def _run_later(delay_s: int, run: Callable[[], object]) -> None:
    def run_and_close() -> None:
        try:
            run()
        finally:
            connections.close_all()  # this thread's own

    timer = threading.Timer(delay_s, run_and_close)
    timer.daemon = True  # does not hold up the end of the process
    timer.start()
