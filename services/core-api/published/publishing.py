"""Takes the published views, grants and triggers away before a schema change, and makes them again after it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

SQL = Path(__file__).parent / "sql"

WITHDRAW = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT quote_ident(viewname) FROM pg_views WHERE schemaname = 'published' LOOP
        EXECUTE format('DROP VIEW IF EXISTS published.%s CASCADE', name); -- views here read one another
    END LOOP;
    FOR name IN SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'published'::regnamespace LOOP
        EXECUTE format('DROP FUNCTION %s', name);
    END LOOP;
    DROP FUNCTION IF EXISTS core.access_changed() CASCADE; -- and with it every trigger that calls it
END $$
"""


def withdraw(connection: BaseDatabaseWrapper) -> None:
    """Drops all of it. A view, or a trigger's condition, would forbid altering the columns it names."""
    with connection.cursor() as cursor:
        cursor.execute(WITHDRAW)


def publish(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        for file in ("views.sql", "functions.sql", "triggers.sql"):
            cursor.execute((SQL / file).read_text(encoding="utf-8"))
