"""Starts a throw-away PostgreSQL (and a Redis where one can be had), runs one command with their addresses, stops them.

    python -m deploy.embedded.testbed -- pytest services/core-api

The command sees LECTERN_TEST_POSTGRES (a superuser's URL; suites make databases of their own there),
LECTERN_TEST_PSQL (the psql program) and, where there is one, LECTERN_TEST_REDIS.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.embedded.postgres import Postgres
from deploy.embedded.redis import Redis, find_program


def main() -> int:
    command = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="lectern-test-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # root's PostgreSQL runs as another account, which must be able to enter
        postgres = Postgres(Path(folder) / "postgres", durable=False)
        program = find_program()
        redis = Redis(program) if program else None
        try:
            postgres.start()
            environment = os.environ | {
                "LECTERN_TEST_POSTGRES": postgres.url(),
                "LECTERN_TEST_PSQL": str(postgres.bin / "psql"),
            }
            if redis:
                redis.start()
                environment["LECTERN_TEST_REDIS"] = redis.url
            return subprocess.run(command, env=environment).returncode
        finally:
            if redis:
                redis.stop()
            postgres.stop()


if __name__ == "__main__":
    raise SystemExit(main())
