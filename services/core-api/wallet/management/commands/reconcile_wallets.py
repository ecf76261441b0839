"""`manage.py reconcile_wallets`: exit 0 if the books are right, 1 with each difference named."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from wallet.reconcile import differences


class Command(BaseCommand):
    help = "Recomputes every wallet's balance and chain of hashes, and matches orders and top-ups with their postings."

    def handle(self, *args: Any, **options: Any) -> None:
        found = 0
        with transaction.atomic():
            _take_one_snapshot()
            for difference in differences(self._progress):
                self.stdout.write(difference)
                found += 1
        if found:
            raise CommandError(f"{found} difference{'s' if found > 1 else ''}.", returncode=1)
        self.stdout.write("Every balance is the sum of its postings, and every chain is whole.")

    def _progress(self, checked: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{checked:,} postings checked ", end="", file=sys.stderr, flush=True)


def _take_one_snapshot() -> None:
    """What commits while this runs is not seen. An SQLite transaction is a snapshot as it is."""
    if connection.vendor != "postgresql" or len(connection.savepoint_ids) > 0:
        return
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SET LOCAL statement_timeout = 0")
