"""Serves: python -m stream_gateway"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from stream_gateway.settings import ConfigurationError, Settings, stop


def main() -> None:
    try:
        settings = Settings.read()  # before anything slow is imported: a mistake is told at once
    except ConfigurationError as error:
        raise stop(error) from None
    with _place_for_metrics(settings):
        _serve(settings)


@contextmanager
def _place_for_metrics(settings: Settings) -> Iterator[None]:
    """Where the counters of several workers meet, unless the operator said where. Gone when the last worker is."""
    if settings.workers == 1 or "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="lectern-stream-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def _serve(settings: Settings) -> None:
    import uvicorn

    from stream_gateway import logs

    logs.configure(settings.log_level)
    uvicorn.run(
        "stream_gateway.app:served",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        http="stream_gateway.protocol:Protocol",
        access_log=False,  # it would log tokens in query strings; logs.Requests writes the line
        log_config=None,
        proxy_headers=False,  # app.py does it, for LECTERN_TRUSTED_PROXIES
        server_header=False,
        timeout_keep_alive=75,  # longer than nginx keeps a connection: it never finds one that has just been closed
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
