"""Makes, copies and drops the suite's databases."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

from django.db import connections

from tests import environment


def make_migrated() -> None:
    """The session's database, migrated by the same command that operators run, as the owner role."""
    if environment.ON_POSTGRES:
        from deploy.embedded.databases import make_database

        make_database(environment.SUPERUSER_URL, environment.PSQL, environment.DATABASE, environment.PASSWORDS)
    command = [sys.executable, "-W", "error", "manage.py", "migrate", "--verbosity", "0"]
    done = subprocess.run(command, cwd=environment.SERVICE, capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, f"migrate failed:\n{done.stdout}{done.stderr}"


def drop(name: str = environment.DATABASE) -> None:
    if not environment.ON_POSTGRES:
        return  # the file goes with its folder
    as_superuser(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def as_superuser(statement: str) -> None:
    import psycopg

    with closing(psycopg.connect(environment.SUPERUSER_URL, autocommit=True)) as connection:
        connection.execute(statement)


@contextmanager
def fresh_copy() -> Iterator[str]:
    """A copy of the migrated database that every connection, of every thread, uses until it is dropped. Gives its name."""
    name = f"{environment.DATABASE}_{secrets.token_hex(3)}"
    connections.close_all()
    if environment.ON_POSTGRES:
        # Its files as they are, not page by page through the log: half the time where they lie in memory.
        as_superuser(f'CREATE DATABASE "{name}" TEMPLATE "{environment.DATABASE}" STRATEGY file_copy')
        configured = name
    else:
        configured = str(environment.FOLDER / f"{name}.sqlite3")
        shutil.copy(environment.FOLDER / f"{environment.DATABASE}.sqlite3", configured)
    settings = connections.settings["default"]
    original = settings["NAME"]
    settings["NAME"] = configured
    try:
        yield name
    finally:
        connections.close_all()
        settings["NAME"] = original
        drop(name)
