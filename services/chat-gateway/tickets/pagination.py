"""Collections are {"count", "next", "previous", "results"}, with links below the one public address."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from rest_framework.pagination import LimitOffsetPagination


def public(link: str) -> str:
    """`link` on LECTERN_PUBLIC_URL, whatever host this service was reached by."""
    parts = urlsplit(link)
    return f"{settings.PUBLIC_URL}{parts.path}?{parts.query}"


class Pages(LimitOffsetPagination):
    default_limit = 50
    max_limit = 200

    def get_next_link(self) -> str | None:
        link = super().get_next_link()
        return public(link) if link else None

    def get_previous_link(self) -> str | None:
        link = super().get_previous_link()
        return public(link) if link else None
