"""The jobs of the packager, and the nightly removal of what is left over (the worker's clock; on SQLite there is none)."""

from __future__ import annotations

import uuid

from django.conf import settings
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from config import jobs
from media import actions, leftovers


class NotPackaged(Exception):
    """Tells the queue to try again; what happened is in the log and with the asset."""


@app.task(
    name="media.package_video",
    queue=jobs.PACKAGING,
    retry=RetryStrategy(max_attempts=30, wait=20, linear_wait=40),
)
def package_video(asset: str) -> None:
    outcome = actions.do_package(uuid.UUID(asset))
    while (
        outcome is actions.Outcome.AGAIN and not settings.ON_POSTGRES
    ):  # no queue would try again, and nobody stops us
        outcome = actions.do_package(uuid.UUID(asset))
    if outcome is not actions.Outcome.SETTLED:
        raise NotPackaged(outcome.name)


@app.periodic(cron="37 3 * * *")
@app.task(queue=jobs.DEFAULT, queueing_lock="collect_leftovers", lock="collect_leftovers")
def collect_leftovers(timestamp: int | None = None) -> None:
    leftovers.collect()
