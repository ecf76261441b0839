from __future__ import annotations

import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from config.problems import Problem
from privacy.erasing import erase


class Command(BaseCommand):
    help = "Erases people by their ids, or shows who is erased. After a restored backup, erase again whoever `--list` named before."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", nargs="*", type=uuid.UUID, help="the id of a person")
        parser.add_argument("--forfeit-credit", action="store_true", help="give up what their wallets still hold")
        parser.add_argument("--list", action="store_true", help="print the ids of the erased, one a line")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list"]:
            for erased in (
                User.objects.filter(erased_at__isnull=False).order_by("erased_at").values_list("pk", flat=True)
            ):
                self.stdout.write(str(erased))
        refused = [user for user in options["user"] if not self._erase(user, options["forfeit_credit"])]
        if refused:
            raise CommandError(f"{len(refused)} of {len(options['user'])} were not erased.")

    def _erase(self, user_id: uuid.UUID, forfeit_credit: bool) -> bool:
        user = User.objects.filter(pk=user_id).first()
        if user is None:
            self.stderr.write(f"{user_id}: there is nobody with this id.")
            return False
        try:
            done = erase(user, None, forfeit_credit=forfeit_credit)
        except Problem as problem:
            self.stderr.write(f"{user_id}: {problem.detail}")
            return False
        self.stdout.write(f"{user_id}: {'erased' if done else 'was erased before'}.")
        return True
