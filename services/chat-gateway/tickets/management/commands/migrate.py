"""`migrate`, in one transaction as the owner role: readers see the old published views or the new ones, never none.

Run twice at once, the second waits for the first. (So a migration here cannot be `atomic = False`.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import connections, transaction

PUBLISHED = (Path(__file__).resolve().parents[2] / "published.sql").read_text(encoding="utf-8")
DROP_PUBLISHED = """
DO $$
DECLARE view_name text;
BEGIN
    DROP FUNCTION IF EXISTS chat_published.held_about(uuid);
    FOR view_name IN SELECT viewname FROM pg_views WHERE schemaname = 'chat_published' LOOP
        EXECUTE format('DROP VIEW chat_published.%I', view_name);
    END LOOP;
END $$
"""


class Command(migrate.Command):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def handle(self, *args: Any, **options: Any) -> None:
        alias = options["database"]
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('chat.migrate'))")
            cursor.execute(DROP_PUBLISHED)
            super().handle(*args, **options)
            cursor.execute(PUBLISHED)
