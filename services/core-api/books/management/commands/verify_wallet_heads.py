"""`manage.py verify_wallet_heads FILE`: does the ledger still have the past that was signed?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from books import heads
from books.snapshot import one_snapshot


class Command(BaseCommand):
    help = "Checks an exported file of wallet heads: its signature, and that the ledger still holds each head."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--key", default="", help="the public key you kept; without, the database's own is believed"
        )

    def handle(self, *args: Any, file: Path, key: str, **options: Any) -> None:
        found = 0
        try:
            with one_snapshot():
                for difference in heads.differences(file, key or heads.public_key()):
                    self.stdout.write(difference)
                    found += 1
        except (heads.HeadsUnusable, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        if found:
            raise CommandError(f"{found} wallet{'s do' if found > 1 else ' does'} not have the past that was signed.")
        self.stdout.write("The ledger holds every head of that file.")
