"""`manage.py forget_failed_logins alice`"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.administration import do_forget_failed_logins
from accounts.management.people import find_person


class Command(BaseCommand):
    help = "Lets a person log in at once who has to wait because of failed log-ins, theirs or strangers'."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="Username or e-mail address.")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        user = find_person(name)
        forgotten = do_forget_failed_logins(user, by=None)
        self.stdout.write(f"{user} may try at once ({forgotten} counters forgotten).")
