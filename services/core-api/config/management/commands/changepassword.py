"""`manage.py changepassword alice`, in the place of Django's, which would let every login of theirs go on."""

from __future__ import annotations

from getpass import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.actions import set_password
from accounts.management.people import find_person
from accounts.models import User
from audit.actions import record
from audit.kinds import Kind

TRIES = 3


class Command(BaseCommand):
    help = "Sets somebody's password, and ends every login of theirs. Asks for it twice."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="Username or e-mail address.")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        user = find_person(name)
        for _ in range(TRIES):
            password, again = self._typed(user)
            if password != again:
                self.stderr.write("These are two different ones.")
                continue
            try:
                validate_password(password, user)
            except ValidationError as refused:
                self.stderr.write(" ".join(refused.messages))
                continue
            with transaction.atomic():
                set_password(user, password)
                record(Kind.PASSWORD_CHANGED, actor=None, subject=user)
            self.stdout.write(f"{user} has a new password, and every login of theirs has ended.")
            return
        raise CommandError(f"{user} keeps the password they have.")

    def _typed(self, user: User) -> tuple[str, str]:
        try:
            return getpass(f"New password of {user}: "), getpass("The same again: ")
        except (EOFError, KeyboardInterrupt) as ended:
            why = "It is typed twice, at a terminal." if isinstance(ended, EOFError) else "Cancelled."
            raise CommandError(f"{user} keeps the password they have. {why}") from None
