"""Runs the jobs of one queue, and takes up again those whose worker was killed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.core.management.base import CommandError

if TYPE_CHECKING:
    from procrastinate import App

HEARTBEAT_EVERY = 5.0  # seconds
TAKEN_FOR_DEAD = 20.0  # seconds without a heartbeat
FINISH_WITHIN = 20.0  # seconds that running jobs get after SIGTERM

log = structlog.get_logger("lectern.jobs")


def work(queue: str, concurrency: int, on_stop: Callable[[], None] = lambda: None) -> None:
    """Runs until SIGTERM or SIGINT; then lets running jobs finish, or leaves them to the next worker.

    `on_stop` is called first: it tells jobs that take long to hand themselves back.
    """
    if not settings.ON_POSTGRES:
        raise CommandError(
            "There is no job queue on SQLite: jobs run in place there. Set DATABASE_URL to a PostgreSQL."
        )
    asyncio.run(_work(queue, concurrency, on_stop))


async def _work(queue: str, concurrency: int, on_stop: Callable[[], None]) -> None:
    from procrastinate import signals
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.django_connector import DjangoConnector

    assert isinstance(app.connector, DjangoConnector)  # noqa: S101  for the type checker: settings.ON_POSTGRES says so
    # Not replace_connector: what a job defers must stay in that job's own Django transaction.
    own = app.with_connector(app.connector.get_worker_connector())
    async with own.open_async():
        recovering = asyncio.create_task(_take_up_stalled_jobs(own, queue))
        working = asyncio.create_task(
            own.run_worker_async(
                queues=[queue],
                name=queue,
                concurrency=concurrency,
                shutdown_graceful_timeout=FINISH_WITHIN,
                update_heartbeat_interval=HEARTBEAT_EVERY,
                stalled_worker_timeout=TAKEN_FOR_DEAD,
                delete_jobs="successful",
                install_signal_handlers=False,
            )
        )

        def stop() -> None:
            on_stop()
            working.cancel()  # which is graceful: no new jobs, time for those that run

        try:
            with signals.on_stop(stop), contextlib.suppress(asyncio.CancelledError):
                await working
        finally:
            recovering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await recovering


async def _take_up_stalled_jobs(app: App, queue: str) -> None:
    """Puts jobs of dead workers back into the queue. Jobs can therefore run twice, and are written to bear it."""
    from procrastinate.exceptions import ConnectorException

    while True:
        # Another worker was quicker, or the database is away for a moment.
        with contextlib.suppress(ConnectorException):
            for job in await app.job_manager.get_stalled_jobs(queue=queue, seconds_since_heartbeat=TAKEN_FOR_DEAD):
                await app.job_manager.retry_job(job)
                log.warning("job_taken_up_again", job=job.id, task=job.task_name)
            _show_that_it_is_alive()
        await asyncio.sleep(HEARTBEAT_EVERY)


def _show_that_it_is_alive() -> None:
    """The file's age is this process's health: the loop turns and the database answers."""
    if settings.ALIVE_FILE:
        Path(settings.ALIVE_FILE).touch()
