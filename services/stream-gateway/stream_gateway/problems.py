"""Refusals: one exception, one renderer to RFC 9457 problem details (the shared texts are in deploy/contracts.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Match

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Kind:
    """One kind of refusal. `but` says more about one case of it."""

    status: int
    code: str
    title: str
    detail: str
    errors: Mapping[str, list[str]] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    opens_at: str | None = None

    def but(self, **changes: Any) -> Kind:
        return replace(self, **changes)

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": f"urn:lectern:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        more = {"errors": self.errors, "opens_at": self.opens_at}
        return body | {name: value for name, value in more.items() if value}

    def response(self) -> JSONResponse:
        headers = {"Cache-Control": "no-store", **self.headers}
        return JSONResponse(self.body(), self.status, headers, media_type=CONTENT_TYPE)


class Problem(Exception):
    """Refuses the request with a problem document of this kind."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind.code)
        self.kind = kind


BEARER = {"WWW-Authenticate": "Bearer"}
RETRY_SOON = {"Retry-After": "2"}

MALFORMED = Kind(400, "malformed", "Malformed request", "The body is not valid JSON.")
NOT_AUTHENTICATED = Kind(
    401,
    "not_authenticated",
    "Not authenticated",
    'Send an access token in the header "Authorization: Bearer …".',
    headers=BEARER,
)
TOKEN_INVALID = Kind(
    401,
    "token_invalid",
    "Token not accepted",
    "The access token is malformed, expired or revoked. Refresh it or log in again.",
    headers=BEARER,
)
PERMISSION_DENIED = Kind(403, "permission_denied", "Not allowed", "You do not have the permission that this needs.")
NOT_ENROLLED = Kind(403, "not_enrolled", "Not enrolled", "You are not enrolled in the course of this lesson.")
LESSON_NOT_OPEN = Kind(403, "lesson_not_open", "Lesson not open yet", "This lesson opens later: `opens_at` says when.")
ACCESS_ENDED = Kind(
    403,
    "access_ended",
    "Access ended",
    "This playback has ended. Start the lesson again if you still have access to it.",
)
NOT_FOUND = Kind(404, "not_found", "Not found", "There is nothing here, or it is not yours to see.")
METHOD_NOT_ALLOWED = Kind(405, "method_not_allowed", "Method not allowed", "This address does not answer that method.")
VIDEO_NOT_READY = Kind(
    409, "video_not_ready", "Video not ready", "This lesson has no video that can be played yet. Try again later."
)
PLAYBACK_SUPERSEDED = Kind(
    409,
    "playback_superseded",
    "Playing somewhere else",
    "This playback was ended because you started others. Start it again to watch here.",
)
TOO_LARGE = Kind(413, "too_large", "Too large", "The body is larger than what is accepted here.")

TUS_1 = "1.0.0"
UPLOAD_HEADER = Kind(
    400, "bad_upload_header", "Malformed upload header", "A header of the tus protocol is missing or malformed."
)
OFFSET_CONFLICT = Kind(
    409, "offset_conflict", "Not there", "The upload is at another offset. Ask with HEAD which, and go on from there."
)
TUS_VERSION = Kind(
    412,
    "tus_version",
    "Another version",
    f"Uploads speak tus {TUS_1} here: send the header Tus-Resumable: {TUS_1}.",
    headers={"Tus-Version": TUS_1},
)
MAKE_ROOM = "finish or end others, or have lessons use them."
QUOTA_EXCEEDED = Kind(
    413, "quota_exceeded", "Too much uploaded", f"Your uploads that no lesson uses yet take too much space: {MAKE_ROOM}"
)
NOT_A_CHUNK = Kind(415, "not_a_chunk", "Not a chunk", "A chunk has the Content-Type application/offset+octet-stream.")
UPLOAD_BUSY = Kind(
    423,
    "upload_busy",
    "Upload busy",
    "Another request is sending to this upload. Try again shortly.",
    headers=RETRY_SOON,
)
CHECKSUM_MISMATCH = Kind(
    460, "checksum_mismatch", "Checksum mismatch", "The chunk came changed, and was discarded. Send it again."
)
DISK_FULL = Kind(
    507,
    "disk_full",
    "Not enough disk space",
    "The server has too little disk space for this upload. Tell its operator, then try again: what came is kept.",
)
RANGE_NOT_SATISFIABLE = Kind(
    416, "range_not_satisfiable", "Range not satisfiable", "The file is shorter than the range asked for."
)
INVALID = Kind(422, "invalid", "Invalid request", "Some fields need attention.")
TOO_MANY_REQUESTS = Kind(429, "too_many_requests", "Too many requests", "Wait a little, then try again.")
INTERNAL_ERROR = Kind(
    500, "internal_error", "Something went wrong", "It has been logged with this request's id (X-Request-ID)."
)
UNAVAILABLE = Kind(
    503,
    "unavailable",
    "Not available now",
    "A part that this needs is not reachable. Try again shortly.",
    headers=RETRY_SOON,
)

# Away, overloaded, restarting; or core-api has not published its views yet (or is just replacing them).
DATABASE_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.InsufficientPrivilege,
    TimeoutError,
)


def install(app: FastAPI, *routers: APIRouter) -> None:
    """Every refusal of this application, also the framework's own, is a problem document. `routers`: all it includes."""
    app.state.routes = [route for router in routers for route in router.routes]
    app.exception_handler(Problem)(_problem)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_framework)
    for error in DATABASE_AWAY:
        app.exception_handler(error)(_database_away)


def _problem(_request: Request, problem: Problem) -> JSONResponse:
    return problem.kind.response()


def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
    found = error.errors()
    if any(item["loc"][0] == "path" for item in found):
        return NOT_FOUND.response()  # a path that cannot be an id names nothing
    if any(item["type"] == "json_invalid" for item in found):
        return MALFORMED.response()
    errors: dict[str, list[str]] = {}
    for item in found:
        errors.setdefault(".".join(str(part) for part in item["loc"][1:]) or str(item["loc"][0]), []).append(
            item["msg"]
        )
    return INVALID.but(errors=errors).response()


def _framework(request: Request, error: HTTPException) -> JSONResponse:
    known = {400: MALFORMED, 404: NOT_FOUND, 405: METHOD_NOT_ALLOWED, 413: TOO_LARGE}.get(
        error.status_code, INTERNAL_ERROR
    )
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    return known.but(headers=headers).response()


def _methods(request: Request) -> set[str]:
    """Every method of the path. Starlette names those of one route, but GET and HEAD of a path are two routes here."""
    return {
        method
        for route in request.app.state.routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in getattr(route, "methods", None) or ()
    }


def _database_away(request: Request, error: Exception) -> JSONResponse:
    request.state.failure = f"{type(error).__name__}: {error}".splitlines()[0]  # for the log line
    return UNAVAILABLE.response()
