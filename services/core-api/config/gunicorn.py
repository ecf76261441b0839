"""How gunicorn serves core-api: `gunicorn config.wsgi:application -c config/gunicorn.py`. Needs no writable disk but /tmp."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import sys
import tempfile
from importlib import import_module
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # gunicorn has no types

if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    # The workers' counters meet in this folder (config/metrics.py). Named before prometheus_client is first imported.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics = tempfile.mkdtemp(prefix="lectern-metrics-")
    _master = os.getpid()

    @atexit.register
    def forget_metrics() -> None:
        if os.getpid() == _master:  # the workers inherit this function
            shutil.rmtree(_metrics, ignore_errors=True)


class JsonLogger(Logger):
    """Gunicorn's own messages, through the service's logging instead of beside it."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


_port = os.environ.get("LECTERN_PORT_INTERNAL") or "8001"
if not _port.isdecimal() or int(_port) > 65535:
    sys.stderr.write("lectern: LECTERN_PORT_INTERNAL is malformed: it should be the port to listen on, 8001.\n")
    raise SystemExit(78)  # sysexits.h: configuration error
bind = f"{os.environ.get('LECTERN_HOST') or '127.0.0.1'}:{_port}"
worker_class = "gthread"
workers = 2
threads = 4
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  heartbeats: memory, not a slow disk
control_socket_disable = True
preload_app = True  # a wrong setting stops the whole server, with its exit status, instead of worker after worker
graceful_timeout = 20
keepalive = 75
max_requests = 10_000
max_requests_jitter = 1_000
logger_class = JsonLogger
accesslog = None  # config/logs.py writes a line for each request


def when_ready(server: Any) -> None:
    """Before the workers fork: what they share of the master's memory is never looked through for garbage, nor copied."""
    import_module("config.urls")  # and with it every view, which each worker would do else at its first request
    gc.collect()
    gc.freeze()


def child_exit(server: Any, worker: Any) -> None:
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # partly untyped
