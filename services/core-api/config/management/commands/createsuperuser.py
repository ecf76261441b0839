"""Django's, which knows only columns that are unique as they stand: names and addresses are so here in any case of letters."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands.createsuperuser import Command as DjangoCreateSuperuser
from django.core.management.base import CommandError
from django.db import IntegrityError, transaction

from accounts.models import User


class Command(DjangoCreateSuperuser):
    username_is_unique = True  # so that the name is looked up when it was typed

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with transaction.atomic():
                super().handle(*args, **options)
        except IntegrityError as error:
            raise CommandError("Somebody has that username or e-mail address already.") from error

    def get_input_data(self, field: Any, message: str, default: str | None = None) -> Any:
        value = super().get_input_data(field, message, default)
        if value and field.name == User.EMAIL_FIELD and User.objects.named(value).exists():
            self.stderr.write("Error: That e-mail address is in use.")
            return None
        return value
