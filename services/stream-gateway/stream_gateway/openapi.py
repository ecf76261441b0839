"""The OpenAPI document: every route with who may use it (`x-permission`) and every refusal it can answer."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from stream_gateway.problems import CONTENT_TYPE, Kind

PUBLIC = "public"
INTERNAL = "internal network"
AUTHENTICATED = "authenticated"
AUTHENTICATED_OR_PREVIEW = "authenticated, or nobody for a free preview"
DOWNLOAD_COOKIE_OR_AUTHENTICATED = "download cookie, authenticated, or nobody for a free preview"
MANAGERS = "courses.manage or courses.manage_all"
COOKIE_OR_AUTHENTICATED = "playback cookie or authenticated"

PROBLEM = {
    "title": "Problem",
    "description": "RFC 9457 problem details. `code` is stable.",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "examples": ["urn:lectern:problem:not_found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        "opens_at": {"type": "string", "format": "date-time", "description": "With `lesson_not_open`: when it opens"},
    },
}


def open_to(permission: str) -> dict[str, Any]:
    """For `openapi_extra`: who may use a route. Every route says it; a test walks them."""
    return {"x-permission": permission}


def refusals(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """For `responses`: each status with its codes."""
    answers: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        answer = answers.setdefault(
            kind.status,
            {"description": "", "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}},
        )
        answer["description"] = f"{answer['description']} · `{kind.code}`: {kind.detail}".removeprefix(" · ")
    return answers


def document(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document with our problems in the place of its own validation error."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        for operations in made["paths"].values():
            for operation in operations.values():
                answers = operation["responses"]
                if "HTTPValidationError" in str(answers.get("422", "")):
                    del answers["422"]  # a path that is no id is a 404 here
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas["Problem"] = PROBLEM
        app.openapi_schema = made
    return app.openapi_schema
