"""Django's `migrate`, with what Lectern needs around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as DjangoMigrate
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from accounts import keys
from accounts.roles import ADMIN
from published import publishing

QUEUE = "procrastinate"


class Command(DjangoMigrate):
    """On PostgreSQL it is one transaction: either the whole release's schema, views and grants, or the old ones.

    So no migration of Lectern may be non-atomic (CREATE INDEX CONCURRENTLY). The job queue's own migrations come first
    and one by one: they use enum values that they have just added, which PostgreSQL allows only after a commit. No view
    reads its tables, and after a crash in between the next `migrate` goes on where it was.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        looks_only = options["plan"] or options["check_unapplied"] or options["prune"]
        if looks_only or connection.vendor != "postgresql":
            self._migrate(connection, *args, **options)
            return
        _require_roles(connection)
        with _one_at_a_time(connection):
            if apps.is_installed("procrastinate.contrib.django") and not options["app_label"]:
                super().handle(*args, **options | {"app_label": QUEUE})
            with transaction.atomic(using=connection.alias):
                with connection.cursor() as cursor:
                    # A row written here and then an ALTER TABLE need its foreign keys checked in between.
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                publishing.withdraw(connection)
                self._migrate(connection, *args, **options)
                if _complete(connection):
                    publishing.publish(connection)
                else:
                    self.stderr.write("The published views are left out until all migrations are applied.")

    def _migrate(self, connection: BaseDatabaseWrapper, *args: Any, **options: Any) -> None:
        known = _permissions(connection)
        super().handle(*args, **options)
        if options["plan"] or options["check_unapplied"] or not _complete(connection):
            return
        for group in Group.objects.filter(name=ADMIN):
            group.permissions.add(*Permission.objects.exclude(pk__in=known))
        try:
            keys.make_first_key()
            keys.signing_key()
        except keys.KeyUnreadable as error:
            raise CommandError(str(error)) from error


def _require_roles(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT to_regnamespace('core') IS NULL OR to_regnamespace('published') IS NULL"
            " OR to_regrole('lectern_stream') IS NULL OR to_regrole('lectern_chat') IS NULL"
        )
        if cursor.fetchone()[0]:
            raise CommandError("This database has no roles and schemas yet: run deploy/postgres/roles.sql in it first.")


@contextmanager
def _one_at_a_time(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Waits for another `migrate`. A table that is in use is waited for ten seconds: the site waits behind us."""
    lock = "(hashtext('lectern.core.migrate'))"
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET lock_timeout = '10min'")
        cursor.execute(f"SELECT pg_advisory_lock{lock}")
        cursor.execute("SET lock_timeout = '10s'")
    try:
        yield
    finally:
        if connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT pg_advisory_unlock{lock}")
                cursor.execute("RESET statement_timeout")
                cursor.execute("RESET lock_timeout")


def _permissions(connection: BaseDatabaseWrapper) -> list[int]:
    if Permission._meta.db_table not in connection.introspection.table_names():
        return []
    return list(Permission.objects.values_list("pk", flat=True))


def _complete(connection: BaseDatabaseWrapper) -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
