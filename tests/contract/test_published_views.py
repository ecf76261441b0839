"""The published views are what deploy/contracts.md says, and the other services may read exactly those."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from contract import documented

if TYPE_CHECKING:
    from contract.conftest import Lectern

PUBLISHERS = {"published": ("stream", "chat"), "stream_published": ("core",), "chat_published": ("core",)}
SCHEMAS = {"core": {"core", "published"}, "stream": {"stream", "stream_published"}, "chat": {"chat", "chat_published"}}


@pytest.mark.parametrize("schema", PUBLISHERS)
def test_views_have_the_documented_columns(lectern: Lectern, schema: str) -> None:
    with lectern.connect() as connection:
        rows = connection.execute(
            "SELECT c.relname, a.attname, format_type(a.atttypid, NULL) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relnamespace = %s::regnamespace AND a.attnum > 0 ORDER BY c.relname, a.attnum",
            [schema],
        ).fetchall()
    actual: dict[str, dict[str, str]] = {}
    for view, column, kind in rows:
        actual.setdefault(str(view), {})[str(column)] = str(kind)
    assert actual == documented.views(schema)


@pytest.mark.parametrize(("schema", "reader"), [(s, r) for s, readers in PUBLISHERS.items() for r in readers])
def test_readers_may_read_every_published_view(lectern: Lectern, schema: str, reader: str) -> None:
    with lectern.connect(reader) as connection:
        for view in documented.views(schema):
            connection.execute(sql.SQL("SELECT * FROM {} LIMIT 1").format(sql.Identifier(schema, view)))


@pytest.mark.parametrize("schema", PUBLISHERS)
def test_functions_are_the_documented_ones_and_for_their_callers_alone(lectern: Lectern, schema: str) -> None:
    with lectern.connect() as connection:
        rows = connection.execute(
            "SELECT proname, pg_get_function_arguments(oid), pg_get_function_result(oid),"
            " ARRAY(SELECT r FROM unnest(%s::text[]) r WHERE has_function_privilege('lectern_' || r, oid, 'EXECUTE'))"
            " FROM pg_proc WHERE pronamespace = %s::regnamespace",
            [["core", "stream", "chat"], schema],
        ).fetchall()
    assert {name: (arguments, result) for name, arguments, result, _ in rows} == documented.functions(schema)
    for name, _, _, may in rows:
        alone = documented.caller(schema, str(name))
        assert may == ([alone] if alone else list(PUBLISHERS[schema])), name


@pytest.mark.parametrize("role", SCHEMAS)
def test_a_service_reads_and_writes_nothing_else_of_others(lectern: Lectern, role: str) -> None:
    with lectern.connect() as connection:
        allowed = connection.execute(
            "SELECT n.nspname, c.relname, p FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,"
            " unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p"
            " WHERE c.relkind IN ('r', 'v', 'm', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
            " AND has_table_privilege(%s, c.oid, p)",
            [f"lectern_{role}"],
        ).fetchall()
    foreign = {(s, v, p) for s, v, p in allowed if s not in SCHEMAS[role]}
    expected = {(s, v, "SELECT") for s, readers in PUBLISHERS.items() if role in readers for v in documented.views(s)}
    assert foreign == expected


@pytest.mark.parametrize("role", SCHEMAS)
def test_a_runtime_role_owns_nothing(lectern: Lectern, role: str) -> None:
    with lectern.connect() as connection:
        owned = connection.execute(
            "SELECT relname FROM pg_class WHERE relowner = %s::regrole"
            " UNION ALL SELECT nspname FROM pg_namespace WHERE nspowner = %s::regrole",
            [f"lectern_{role}"] * 2,
        ).fetchall()
    assert owned == []
    with lectern.connect(role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("CREATE TABLE mine (id int)")


def test_migrations_may_be_run_again(lectern: Lectern) -> None:
    from contract.conftest import MIGRATE

    for role, command in MIGRATE.items():
        lectern.run(role, *command)
    with lectern.connect("stream") as connection:
        connection.execute("SELECT * FROM published.lesson_access")
