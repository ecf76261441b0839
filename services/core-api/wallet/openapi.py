"""How routes that move money describe their refusals."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from config.problems import CONTENT_TYPE, Problem

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="A random text of yours, up to 255 visible ASCII characters; the same one whenever you repeat this request.",
)


def refusals(*problems: type[Problem]) -> dict[Any, OpenApiResponse]:
    """The `responses` of these problems, by status, each with its codes and what they mean."""
    by_status = groupby(sorted(problems, key=lambda it: it.status), key=lambda it: it.status)
    return {
        (status, CONTENT_TYPE): OpenApiResponse(
            {"$ref": "#/components/schemas/Problem"},
            "\n".join(f"- `{problem.code}`: {problem.detail}" for problem in group),
        )
        for status, group in by_status
    }
