"""What Prometheus may ask on the internal network."""

from __future__ import annotations

import os

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Counter("lectern_stream_requests_total", "Requests answered", ["method", "route", "status"])
DURATION = Histogram("lectern_stream_request_seconds", "Time to answer, without nginx's sending", ["route"])
STARTED = Counter("lectern_stream_playback_started_total", "Playback sessions opened", ["kind"])
DECISIONS = Counter("lectern_stream_decisions_total", "Decisions asked of the database, not of the cache", ["verdict"])
UPLOADS = Counter("lectern_stream_uploads_total", "Uploads begun, finished, ended by their owner", ["what"])


def render() -> bytes:
    """The exposition text: of all worker processes where there are several (`__main__` sets the variable), else of this one."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus_client leaves this class untyped
    return generate_latest(registry)
