"""What Prometheus is told about requests. With several processes their counters meet in PROMETHEUS_MULTIPROC_DIR."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from config.logs import QUIET_PATHS

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
REQUESTS = Counter("lectern_http_requests", "Answered requests.", ["method", "route", "status"])
DURATION = Histogram("lectern_http_request_duration_seconds", "Time to answer.", ["method", "route"])


class MetricsMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        if request.path not in QUIET_PATHS:
            # The route, never the path: a label's values must be few, whatever clients make up.
            route = request.resolver_match.route if request.resolver_match else "none"
            method = request.method if request.method in METHODS else "other"
            REQUESTS.labels(method, route, response.status_code).inc()
            DURATION.labels(method, route).observe(time.perf_counter() - started)
        return response


def exposition() -> HttpResponse:
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus_client is partly untyped
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
