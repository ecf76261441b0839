"""How routes that move money describe the header they need."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": r"^[!-~]{1,255}$"},
    OpenApiParameter.HEADER,
    required=True,
    description="A random text of yours, up to 255 visible ASCII characters; the same one whenever you repeat this request.",
)
