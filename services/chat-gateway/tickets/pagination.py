"""Collections are {"count", "next", "previous", "results"}, with links below the one public address."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request

from tickets.errors import Invalid

MOST = 2**31 - 1


def public(link: str) -> str:
    """`link` on LECTERN_PUBLIC_URL, whatever host this service was reached by."""
    parts = urlsplit(link)
    return f"{settings.PUBLIC_URL}{parts.path}?{parts.query}"


def number(request: Request, name: str, default: int, least: int) -> int:
    """The number that the query gives as `name`. Raises Invalid where it is none from `least` to MOST."""
    asked = request.query_params.get(name)
    if asked is None:
        return default
    if asked.isascii() and asked.isdecimal() and len(asked) < 12 and least <= int(asked) <= MOST:
        return int(asked)
    raise Invalid({name: [f"A number from {least} to {MOST} is required."]})


class Pages(LimitOffsetPagination):
    default_limit = 50
    max_limit = 200  # who asks for more gets as many

    def get_limit(self, request: Request) -> int:
        """Raises Invalid for what is no number, so that nobody takes the usual 50 for what they asked for."""
        return min(number(request, "limit", self.default_limit, 1), self.max_limit)

    def get_offset(self, request: Request) -> int:
        return number(request, "offset", 0, 0)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter, least in zip(parameters, (1, 0), strict=True):
            parameter["schema"] = {"type": "integer", "minimum": least, "maximum": MOST}
        return parameters

    def get_next_link(self) -> str | None:
        link = super().get_next_link()
        return public(link) if link else None

    def get_previous_link(self) -> str | None:
        link = super().get_previous_link()
        return public(link) if link else None
