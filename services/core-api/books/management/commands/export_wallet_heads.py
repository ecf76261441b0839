"""`manage.py export_wallet_heads FOLDER`: a signed file to keep elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from books import heads
from books.snapshot import one_snapshot


class Command(BaseCommand):
    help = "Writes every wallet's head, signed, into a file to keep elsewhere (verify_wallet_heads checks it later)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        key = heads.public_key()  # made, on first use, outside the snapshot
        try:
            with one_snapshot():
                file = heads.export(folder)
        except OSError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{file}\nKeep it, and the public key that checks it, elsewhere: {key}")
