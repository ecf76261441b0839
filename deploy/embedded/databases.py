"""Makes a database with Lectern's roles and schemas on a running PostgreSQL, for the demo and for the tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

ROLES = ("core_owner", "core", "stream_owner", "stream", "chat_owner", "chat")
ROLES_SQL = Path(__file__).resolve().parents[1] / "postgres" / "roles.sql"


def make_database(superuser_url: str, psql: str, name: str, passwords: Mapping[str, str]) -> None:
    """Creates database `name` if need be and runs roles.sql in it. `passwords` has one for each of ROLES."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    environment = os.environ | {f"LECTERN_{role.upper()}_PASSWORD": passwords[role] for role in ROLES}
    parts = urlsplit(database_url(superuser_url, name))
    environment["PGPASSWORD"] = unquote(parts.password or "")  # not in the address, which every process list shows
    address = urlunsplit(parts._replace(netloc=f"{parts.username}@{parts.netloc.rpartition('@')[2]}"))
    command = [psql, "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-f", str(ROLES_SQL), address]
    # In a session of its own: a Ctrl-C at the terminal is for whoever runs this to handle.
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, start_new_session=True)


def database_url(url: str, database: str, role: str | None = None, password: str | None = None) -> str:
    """`url` with another database and, if `role` is given (one of ROLES), as that role."""
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2]
    who = f"lectern_{role}:{quote(password or '', safe='')}" if role else parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{who}@{where}", path=f"/{database}"))


def read_release(superuser_url: str, name: str) -> str | None:
    """What `note_release` wrote into this very database, so a dropped or restored one is never taken for up to date."""
    with psycopg.connect(superuser_url) as connection:
        query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
        row = connection.execute(query, [name]).fetchone()
        return row[0] if row else None


def note_release(superuser_url: str, name: str, release: str) -> None:
    with psycopg.connect(superuser_url) as connection:
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(release)))
