"""python -m stream_gateway.migrate: again, twice at once, killed half-way, and what the roles may do afterwards."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from conftest import Databases

from stream_gateway.migrate import MIGRATIONS, migrate
from stream_gateway.settings import without_password


@pytest.fixture
def database(databases: Databases) -> str:
    return databases.make(published=False)


def test_again_it_does_nothing_but_the_views(databases: Databases, database: str) -> None:
    url = databases.url("stream_owner", database)
    assert migrate(url) == [file.stem for file in sorted(MIGRATIONS.glob("*.sql"))]
    assert migrate(url) == []
    with psycopg.connect(databases.url("core", database)) as core:
        assert core.execute("SELECT count(*) FROM stream_published.playback_session").fetchone() == (0,)


def test_four_at_once_migrate_once(databases: Databases, database: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(lambda _: migrate(databases.url("stream_owner", database)), range(4)))
    assert sorted(map(len, done)) == [0, 0, 0, len(list(MIGRATIONS.glob("*.sql")))]


def test_a_migration_that_fails_changes_nothing(databases: Databases, database: str, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder)
    (folder / "0999_broken.sql").write_text(
        "CREATE TABLE stream.half (id int);\nALTER TABLE stream.nothing ADD x int;\n"
    )
    url = databases.url("stream_owner", database)
    with pytest.raises(psycopg.errors.UndefinedTable):
        migrate(url, folder)
    with psycopg.connect(url) as owner:
        left = owner.execute("SELECT relname FROM pg_class WHERE relnamespace = 'stream'::regnamespace").fetchall()
    assert left == []
    (folder / "0999_broken.sql").write_text(
        "ALTER TABLE stream.playback_session ALTER COLUMN user_agent TYPE varchar(400);\n"
    )
    assert migrate(url, folder)[-1] == "0999_broken"  # also under a view that shows the column


def test_views_that_fail_leave_the_old_ones(databases: Databases, database: str, tmp_path: Path) -> None:
    url = databases.url("stream_owner", database)
    migrate(url)
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder)
    (folder / "published" / "create.sql").write_text("SELECT nothing FROM stream.playback_session;")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        migrate(url, folder)
    with psycopg.connect(databases.url("core", database)) as core:
        core.execute("SELECT FROM stream_published.playback_session")


def test_core_may_see_and_end_but_not_touch(databases: Databases) -> None:
    with psycopg.connect(databases.url("core"), autocommit=True) as core:
        core.execute("SELECT FROM stream_published.playback_session")
        for forbidden in ("SELECT FROM stream.playback_session", "DELETE FROM stream_published.playback_session"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                core.execute(forbidden)
    with psycopg.connect(databases.url("chat"), autocommit=True) as chat:
        for forbidden in (
            "SELECT FROM stream_published.playback_session",
            "SELECT stream_published.end_playback(NULL)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                chat.execute(forbidden)


def test_the_runtime_role_owns_and_alters_nothing(databases: Databases) -> None:
    with psycopg.connect(databases.url("stream"), autocommit=True) as stream:
        for forbidden in ("ALTER TABLE stream.playback_session ADD x int", "DELETE FROM stream._yoyo_migrations"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                stream.execute(forbidden)


@pytest.mark.parametrize(
    "columns",
    [
        {"kind": "'hls'", "user_id": "NULL"},
        {"kind": "'preview'", "user_id": "gen_random_uuid()"},
        {"ended_at": "now()"},
        {"end_reason": "'bored'", "ended_at": "now()"},
        {"expires_at": "now() - interval '1 second'"},
        {"cookie_hash": "NULL"},
        {"cookie_hash": "'short'"},
    ],
    ids=str,
)
def test_the_table_holds_only_sessions_that_make_sense(databases: Databases, columns: dict[str, str]) -> None:
    good = {
        "id": "gen_random_uuid()",
        "user_id": "gen_random_uuid()",
        "lesson_id": "gen_random_uuid()",
        "package_id": "gen_random_uuid()",
        "kind": "'hls'",
        "login_session": "gen_random_uuid()",
        "generation": "0",
        "cookie_hash": "sha256('')",
        "client_address": "'127.0.0.1'",
        "user_agent": "''",
        "expires_at": "now() + interval '1 hour'",
        "over_at": "now()",
    }
    with psycopg.connect(databases.url("stream"), autocommit=True) as stream, stream.transaction(force_rollback=True):
        for row, refused in ((good, False), (good | columns, True)):
            statement = f"INSERT INTO playback_session ({', '.join(row)}) VALUES ({', '.join(row.values())})"
            if refused:
                with pytest.raises(psycopg.errors.CheckViolation):
                    stream.execute(statement.encode())
            else:
                stream.execute(statement.encode())


def test_passwords_are_not_shown() -> None:
    assert without_password("postgres://alice:secret@host:5432/db") == "postgres://alice@host:5432/db"
    assert without_password("postgres://alice@host/db") == "postgres://alice@host/db"
