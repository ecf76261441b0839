from typing import Any

from django.core.management.base import BaseCommand

from accounts import keys


class Command(BaseCommand):
    help = (
        "Makes a new key that signs access tokens. It is published now and signs in two minutes; nobody is logged out."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        key = keys.rotate()
        self.stdout.write(f"Key {key.kid} signs from {key.signs_from:%Y-%m-%dT%H:%M:%SZ}.")
