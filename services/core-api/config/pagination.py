"""Collections are `{"count", "next", "previous", "results"}`."""

from __future__ import annotations

from typing import Any

from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

from config.problems import Invalid


class Pages(PageNumberPagination):
    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100  # who asks for more gets as many

    def get_page_size(self, request: Request) -> int:
        """Raises Invalid for what is no number, so that nobody takes the usual 20 for what they asked for."""
        asked = request.query_params.get("page_size")
        if asked is None:
            return int(self.page_size)
        if not (asked.isascii() and asked.isdecimal() and asked.strip("0")):
            raise Invalid(errors={"page_size": ["A valid number from 1 is required."]})
        return min(int(asked[:9]), self.max_page_size)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            parameter["schema"] = {"type": "integer", "minimum": 1}
        return parameters
