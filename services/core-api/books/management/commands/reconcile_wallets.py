"""`manage.py reconcile_wallets`: exit 0 if the books are right, 1 with each difference named."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Sum

from books.reconcile import differences
from books.snapshot import one_snapshot
from wallet.models import Wallet

WIDTH = 40  # characters of the progress bar


class Command(BaseCommand):
    help = "Recomputes every wallet's balance and chain of hashes, and matches orders and top-ups with their postings."

    def handle(self, *args: Any, **options: Any) -> None:
        found = 0
        with one_snapshot():
            self._total = Wallet.objects.aggregate(total=Sum("head_seq"))["total"] or 0
            for difference in differences(self._progress):
                self.stdout.write(difference)
                found += 1
        if found:
            raise CommandError(f"{found} difference{'s' if found > 1 else ''}.", returncode=1)
        self.stdout.write("Every balance is the sum of its postings, and every chain is whole.")

    def _progress(self, checked: int) -> None:
        if not sys.stderr.isatty():
            return
        part = min(checked / self._total, 1.0) if self._total else 1.0
        bar = ("#" * round(part * WIDTH)).ljust(WIDTH, ".")
        end = "\n" if part == 1.0 else ""
        print(f"\r[{bar}] {checked:,} of {self._total:,} postings", end=end, file=sys.stderr, flush=True)
