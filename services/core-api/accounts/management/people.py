"""People, as operators name them to commands."""

from __future__ import annotations

from django.core.management.base import CommandError

from accounts.models import User


def find_person(name: str) -> User:
    """By username or e-mail address. Raises CommandError."""
    user = User.objects.named(name).first()
    if user is None:
        raise CommandError(f"There is nobody called {name}.")
    return user
