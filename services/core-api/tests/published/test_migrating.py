"""`manage.py migrate`, as operators run it."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests import environment

pytestmark = pytest.mark.postgres


def migrate(database: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    address = environment.database_address("core_owner", database)
    variables = dict(os.environ) | {"MIGRATION_DATABASE_URL": address}
    return subprocess.run(
        [sys.executable, "manage.py", "migrate", *arguments],
        cwd=environment.SERVICE,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
    )


def views(database: str) -> set[str]:
    with psycopg.connect(environment.database_address(None, database)) as connection:
        found = connection.execute("SELECT viewname FROM pg_views WHERE schemaname = 'published'").fetchall()
    return {name for (name,) in found}


def test_it_may_be_run_again_and_twice_at_once(committed_db: str) -> None:
    before = views(committed_db)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _number: migrate(committed_db, "--verbosity", "0"), range(2)))
    assert [(run.returncode, run.stderr) for run in done] == [(0, "")] * 2
    assert views(committed_db) == before
    assert len(before) == 13


def test_a_failed_migration_leaves_the_old_release_as_it_was(committed_db: str) -> None:
    # Somebody holds a table that the views read: they cannot be made again, so they must not be gone either.
    with psycopg.connect(environment.database_address(None, committed_db)) as connection:
        connection.execute("ALTER TABLE core.media_caption RENAME COLUMN label TO caption_label")
    before = views(committed_db)
    assert migrate(committed_db).returncode != 0
    assert views(committed_db) == before


def test_a_column_under_a_view_may_be_altered_in_between(committed_db: str) -> None:
    with psycopg.connect(environment.database_address("core_owner", committed_db)) as connection:
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            connection.execute("ALTER TABLE core.courses_course ALTER COLUMN title TYPE varchar(250)")
        connection.rollback()
        from published.publishing import SQL, WITHDRAW

        connection.execute(WITHDRAW)
        connection.execute("ALTER TABLE core.courses_course ALTER COLUMN title TYPE varchar(250)")
        for file in ("views.sql", "triggers.sql"):
            connection.execute((SQL / file).read_text(encoding="utf-8"))


@pytest.mark.parametrize("options", [["--plan"], ["--check"]])
def test_looking_changes_nothing(committed_db: str, options: list[str]) -> None:
    done = migrate(committed_db, *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(views(committed_db)) == 13


def test_a_changed_signing_secret_beside_an_old_database_stops_it(
    committed_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LECTERN_SIGNING_KEY_SECRET", "somebody made new secrets beside an old database")
    done = migrate(committed_db)
    assert done.returncode != 0
    assert "LECTERN_SIGNING_KEY_SECRET" in done.stderr
    assert "Traceback" not in done.stderr
