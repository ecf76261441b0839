"""How routes appear in the OpenAPI document: each with its permission and its problem answers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse

from config.negotiation import OneFormat
from config.permissions import label_of
from config.problems import CONTENT_TYPE, Problem

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


class Schema(AutoSchema):
    """Names every status that an operation answers with; what only one view refuses stands in its `extend_schema`."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None:
            label = operation["x-permission"] = label_of(self.view, self.method)
            said = operation.get("description", "")
            operation["description"] = f"{said}\n\nWho may: {label}.".strip()
            for status, description in self._refusals(operation, label):
                operation["responses"].setdefault(status, refusal(description))
        return operation

    def get_auth(self) -> list[dict[str, list[str]]]:
        """A public operation takes a token, where it takes one at all, but needs none."""
        schemes: list[dict[str, list[str]]] = super().get_auth()
        tokens = [scheme for scheme in schemes if scheme]
        return [{}, *tokens] if label_of(self.view, self.method) == "public" else tokens

    def _get_request_body(self, direction: str = "request") -> dict[str, Any] | None:
        """drf-spectacular gives a DELETE no body; a view that reads one names its serializer as `delete_body`."""
        body = getattr(self.view, "delete_body", None)
        if self.method != "DELETE" or body is None:
            described: dict[str, Any] | None = super()._get_request_body(direction)  # type: ignore[no-untyped-call]  # partly untyped
            return described
        schema = self.resolve_serializer(body, "request").ref
        return {"content": {"application/json": {"schema": schema}}, "required": True}

    def _refusals(self, operation: dict[str, Any], label: str) -> Iterator[tuple[str, str]]:
        has_body, parameters = "requestBody" in operation, operation.get("parameters", [])
        if self.view.get_authenticators() or self.path.startswith("/api/v1/auth/token/"):
            yield "401", "No access token, or one that is not accepted."
        if label not in ("public", "authenticated"):
            yield "403", "Not allowed."
        if "{" in self.path or any(parameter["name"] == "page" for parameter in parameters):
            yield "404", "Not there, or not yours to see."
        if self.view.content_negotiation_class is not OneFormat:
            yield "406", "The answer is JSON, which the request's Accept header leaves out."
        if has_body:
            yield "400", "The body is not what its Content-Type says."
            yield "413", "The body is too large."
        if has_body or any(parameter["in"] == "query" for parameter in parameters):
            yield "422", "Some fields need attention."
        if self.path.startswith("/api/v1/auth/"):
            yield "429", "Too many attempts; Retry-After says how long to wait."
        yield "503", "Not possible now; Retry-After says when to try again."

    def _map_basic_serializer(self, serializer: Any, direction: str) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]  # partly untyped
        if getattr(serializer, "refuses_unknown_names", False):
            schema["additionalProperties"] = False
        return schema


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
