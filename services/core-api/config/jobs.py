"""Handing work to the job queue.

On PostgreSQL a job is a row, inserted in the caller's transaction: it runs, in another process, if and only if the
transaction commits. On SQLite (development) there is no queue: the job runs in place, right after the commit.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

if TYPE_CHECKING:
    from procrastinate.tasks import Task

DEFAULT = "default"
PACKAGING = "packaging"


def defer(task: Task[..., Any, Any], *, lock: str | None = None, queueing_lock: str | None = None, **kwargs: Any) -> None:
    """Has `task` run with `kwargs` (JSON values only) once the transaction around this call commits.

    Jobs with the same `lock` never run at the same time. A job whose `queueing_lock` is waiting already is not queued
    again. A task takes no job context, so that it can run in place too; what it raises in place is logged.
    """
    if not settings.ON_POSTGRES:
        transaction.on_commit(partial(task, **kwargs), robust=True)
        return
    from procrastinate.exceptions import AlreadyEnqueued

    try:
        with transaction.atomic():  # a refused insert must not spoil the caller's transaction
            task.configure(lock=lock, queueing_lock=queueing_lock).defer(**kwargs)
    except AlreadyEnqueued:
        return
