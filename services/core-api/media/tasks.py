"""The jobs of the packager."""

from __future__ import annotations

import uuid

from django.conf import settings
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from config import jobs
from media import actions


class PackagingFailed(Exception):
    """Tells the queue to try again; what happened is in the log and with the asset."""


@app.task(
    name="media.package_video",
    queue=jobs.PACKAGING,
    retry=RetryStrategy(wait=20, linear_wait=40, retry_exceptions=[PackagingFailed]),
)
def package_video(asset: str) -> None:
    again = actions.do_package(uuid.UUID(asset))
    while again and not settings.ON_POSTGRES:  # no queue would try again
        again = actions.do_package(uuid.UUID(asset))
    if again:
        raise PackagingFailed(asset)
