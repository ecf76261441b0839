"""How far packaging is, written to the asset now and then."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress

from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django.utils import timezone

from media.models import VideoAsset

EVERY_S = 1.0


def renew_connection() -> None:
    """Between minutes of other work: a connection that the database has closed meanwhile is opened again."""
    if not connection.in_atomic_block:
        close_old_connections()


class ProgressReport:
    """Called with per cent as often as one likes; writes at most once a second, and only what is news."""

    def __init__(self, asset: uuid.UUID) -> None:
        self._asset = asset
        self._written = 0
        self._next = 0.0

    def __call__(self, percent: int) -> None:
        if percent <= self._written or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_S
        self._written = percent
        with suppress(OperationalError, InterfaceError):  # the work goes on without a database for a while
            renew_connection()
            VideoAsset.objects.filter(pk=self._asset, status=VideoAsset.Status.PROCESSING).update(
                progress=percent, updated_at=timezone.now()
            )
