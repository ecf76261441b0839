"""Brings the schema up to date, as the owner role: python -m stream_gateway.migrate

One transaction around everything: the published views go, the numbered files of migrations/ that are new run, the views and
their grants come back. Killed half-way it did nothing; run twice at once, the second waits and finds nothing to do.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from yoyo import internalmigrations, read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import parse_uri

from stream_gateway.settings import ConfigurationError, MigrationSettings, stop, without_password

MIGRATIONS = Path(__file__).resolve().parents[1] / "migrations"
LOCK = 0x1EC7_0002  # stream-gateway's migrations; the number means nothing else
MIGRATION_TABLE = "_yoyo_migrations"


class OneTransaction(PostgresqlPsycopgBackend):
    """yoyo's PostgreSQL, less its habit of committing each migration and the note that it ran separately.

    It would also keep its lock as a row, which a killed process leaves behind; `migrate` takes an advisory lock.
    """

    def connect(self, dburi: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(
            dburi.uri, autocommit=True, connect_timeout=10, application_name="stream-gateway migrate"
        )

    def copy(self) -> AbstractContextManager[OneTransaction]:
        return nullcontext(self)

    @contextmanager
    def lock(self, timeout: float = 0) -> Iterator[None]:
        yield

    @contextmanager
    def disable_transactions(self) -> Iterator[None]:
        raise NotImplementedError("every migration runs inside the one transaction: drop its `transactional: false`")

    def ensure_internal_schema_updated(self) -> None:
        if internalmigrations.needs_upgrading(self):
            internalmigrations.upgrade(self)

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        """yoyo's, without asking for the account's name and the host's: a container may have neither."""
        return {
            "id": str(uuid4()),
            "migration_id": migration.id if migration else None,
            "migration_hash": migration.hash if migration else None,
            "username": self.uri.username,
            "hostname": None,
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }


def migrate(url: str, folder: Path = MIGRATIONS) -> list[str]:
    """Migrates the database at `url`; the names of what ran. Raises psycopg.Error, having changed nothing."""
    backend = OneTransaction(parse_uri(url), MIGRATION_TABLE)
    with backend, backend.transaction():
        connection = backend.connection
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        connection.execute("SET LOCAL search_path = stream")
        connection.execute((folder / "published" / "drop.sql").read_bytes())
        backend.ensure_internal_schema_updated()
        pending = backend.to_apply(read_migrations(str(folder)))
        backend.apply_migrations(pending)
        connection.execute((folder / "published" / "create.sql").read_bytes())
        return [migration.id for migration in pending]


def main() -> int:
    try:
        url = MigrationSettings.read().url
    except ConfigurationError as error:
        raise stop(error) from None
    try:
        done = migrate(url)
    except psycopg.Error as error:
        print(f"lectern: migrating {without_password(url)} failed, nothing was changed: {error}", file=sys.stderr)  # noqa: T201  a command's answer to its operator
        return 1
    print(f"lectern: stream-gateway's schema is up to date ({', '.join(done) or 'nothing new'}).")  # noqa: T201  as above
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
