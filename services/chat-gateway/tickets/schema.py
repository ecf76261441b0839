"""What the OpenAPI document says beyond drf-spectacular: each operation's permission, and how a refusal looks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from tickets.errors import CONTENT_TYPE, Problem
from tickets.permissions import AUTHENTICATED, PUBLIC, needed

PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is stable.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
    },
}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself; the base is untyped
    target_class = "tickets.authentication.BearerAuthentication"
    name = "Bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class Schema(AutoSchema):
    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        conflicts: tuple[type[Problem], ...] = getattr(self.view, "conflicts", ())
        if operation is not None and self.method == self._refusing_method():
            for status in {problem.status for problem in conflicts}:
                codes = [f"- `{problem.code}`: {problem.detail}" for problem in conflicts if problem.status == status]
                operation["responses"][str(status)] = refusal("\n".join(codes))
        return operation

    def _refusing_method(self) -> str:
        """Which of the view's methods its `conflicts` are about."""
        return next(method for method in ("POST", "PUT", "GET") if hasattr(self.view, method.lower()))

    def get_extensions(self) -> dict[str, Any]:
        return {"x-permission": needed(self.view)}

    def get_auth(self) -> list[dict[str, list[str]]]:
        return [] if needed(self.view) == PUBLIC else super().get_auth()  # which puts the scheme into the document, too

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/chat/v1/").partition("/")[0]]


def describe_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A post-processing hook of drf-spectacular: every operation says how it refuses."""
    result["components"]["schemas"]["Problem"] = PROBLEM
    for path, operations in result["paths"].items():
        for operation in operations.values():
            for status, description in refusals(path, operation):
                operation["responses"].setdefault(status, refusal(description))
    return result


def refusals(path: str, operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    permission = operation["x-permission"]
    if permission != PUBLIC:
        yield "401", "No access token, or one that is not accepted."
    if permission not in (PUBLIC, AUTHENTICATED) or path.endswith("/connect-tickets/"):  # that one also to the desk
        yield "403", "Not allowed."
    if "{" in path or path.endswith("/connect-tickets/"):  # that one names its ticket in the body
        yield "404", "Not there, or not yours to see."
    yield "406", "The answer is JSON, which the request's Accept header leaves out."
    if "requestBody" in operation:
        yield "400", "The body cannot be read as what it is sent as."
        yield "413", "The body is too large."
        yield "415", "The body is not sent as one of the types above."
    if "requestBody" in operation or any(it["in"] == "query" for it in operation.get("parameters", [])):
        yield "422", "Some fields need attention."
    yield "503", "Not possible now."


def refusal(description: str) -> dict[str, Any]:
    return {"description": description, "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
