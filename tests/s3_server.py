"""An S3 server for tests: moto's, as a process on 127.0.0.1. It knows no access keys; it takes any."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.embedded.postgres import free_port
from deploy.embedded.waiting import looks

BUCKET = "lectern-test"
REGION = "us-east-1"


@contextmanager
def s3_server() -> Iterator[str]:
    """Its endpoint's URL, with the empty bucket `BUCKET`. Nothing of it remains."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if not any(_made(f"{endpoint}/{BUCKET}") or process.poll() is not None for _ in looks(30)):
            raise AssertionError("moto's server does not answer")
        assert process.poll() is None, "moto's server ended"
        yield endpoint
    finally:
        process.kill()
        process.wait()


def _made(bucket: str) -> bool:
    request = urllib.request.Request(bucket, method="PUT")  # noqa: S310  our own http URL
    try:
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310  our own http URL
            return True
    except OSError:  # also of one that has no time yet
        return False
