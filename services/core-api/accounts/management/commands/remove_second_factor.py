"""`manage.py remove_second_factor alice`"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.administration import do_remove_second_factor
from accounts.management.people import find_person


class Command(BaseCommand):
    help = "Removes the authenticator app of somebody who lost it, and ends their logins. For when no admin can do it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="Username or e-mail address.")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        user = find_person(name)
        if not do_remove_second_factor(user, by=None):
            raise CommandError(f"{user} has no authenticator app.")
        self.stdout.write(f"{user} logs in by the password alone; all their logins have ended.")
