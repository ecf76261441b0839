"""Starts a throw-away PostgreSQL (and a Redis where one can be had), runs one command with their addresses, stops them.

    python -m deploy.embedded.testbed -- pytest services/core-api

The command sees LECTERN_TEST_POSTGRES (a superuser's URL; suites make databases of their own there),
LECTERN_TEST_PSQL (the psql program) and, where there is one, LECTERN_TEST_REDIS.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from deploy.embedded.postgres import Postgres
from deploy.embedded.redis import Redis, find_program

MEMORY = Path("/dev/shm")  # noqa: S108  as a file system: the folder made in it is nobody else's
PLENTY = 4 * 2**30  # bytes; the suites that run side by side take a quarter of it


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Gives the variables that tell a test suite where its servers are; stops them afterwards."""
    with ExitStack() as ending:
        folder = Path(
            ending.enter_context(
                tempfile.TemporaryDirectory(prefix="lectern-test-", dir=_quick_folder(), ignore_cleanup_errors=True)
            )
        )
        folder.chmod(0o711)  # root's PostgreSQL runs as another account, which must be able to enter
        postgres = Postgres(folder / "postgres", durable=False)
        ending.callback(postgres.stop)
        postgres.start()
        found = {"LECTERN_TEST_POSTGRES": postgres.url(), "LECTERN_TEST_PSQL": str(postgres.bin / "psql")}
        if program := find_program():
            redis = Redis(program)
            ending.callback(redis.stop)
            redis.start()
            found["LECTERN_TEST_REDIS"] = redis.url
        yield found


def _quick_folder() -> Path | None:
    """Memory where there is plenty, else the usual place: many tests copy a database, and a disk takes four times as long."""
    roomy = MEMORY.is_dir() and min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available) > PLENTY
    return MEMORY if roomy else None


def main() -> int:
    command = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    with servers() as variables:
        return subprocess.run(command, env=os.environ | variables).returncode


if __name__ == "__main__":
    raise SystemExit(main())
