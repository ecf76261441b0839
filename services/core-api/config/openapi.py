"""How routes appear in the OpenAPI document: each with its permission and its problem answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details. `code` is stable; `errors` names the fields of a 422.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "example": "urn:lectern:problem:invalid"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": True},
    },
}


def refusal(description: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content}


class Schema(AutoSchema):
    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None:
            labels = [
                getattr(permission, "label", type(permission).__name__) for permission in self.view.get_permissions()
            ]
            operation["x-permission"] = " and ".join(labels)
            said = operation.get("description", "")
            operation["description"] = f"{said}\n\nWho may: {operation['x-permission']}.".strip()
            for status, description in self._refusals(operation, set(labels)):
                operation["responses"].setdefault(status, refusal(description))
        return operation

    def _refusals(self, operation: dict[str, Any], labels: set[str]) -> Iterator[tuple[str, str]]:
        if labels != {"public"}:
            yield "401", "No access token, or one that is not accepted."
        if labels - {"public", "authenticated"}:
            yield "403", "Not allowed."
        if "{" in self.path:
            yield "404", "Not there, or not yours to see."
        if "requestBody" in operation:
            yield "422", "Some fields need attention."
        yield "default", "Any other refusal."


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # drf-spectacular is partly untyped
    """Registered with drf-spectacular by being defined."""

    target_class = "accounts.authentication.AccessTokenAuthentication"
    name = "Bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def describe_problems(result: dict[str, Any], **_others: Any) -> dict[str, Any]:
    """A post-processing hook of drf-spectacular."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    return result
