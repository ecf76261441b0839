"""Refusals: one exception tree, one renderer to RFC 9457 problem details (the shared texts are in deploy/contracts.md)."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost, PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from rest_framework import exceptions as drf
from rest_framework.response import Response

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):
    """A refusal with a stable code. Subclasses set the class attributes; an instance may say more in `detail`."""

    status = 400
    code = "malformed"
    title = "Malformed request"
    detail = "The body is not valid JSON."

    def __init__(
        self, detail: str | None = None, *, errors: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> None:
        self.detail = detail or self.detail
        self.errors = errors
        self.headers = headers or {}
        super().__init__(self.detail)

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": f"urn:lectern:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.errors is not None:
            body["errors"] = self.errors
        return body


class Malformed(Problem):
    pass


class NotAuthenticated(Problem):
    status, code, title = 401, "not_authenticated", "Not authenticated"
    detail = 'Send an access token in the header "Authorization: Bearer …".'


class TokenInvalid(Problem):
    status, code, title = 401, "token_invalid", "Token not accepted"
    detail = "The access token is malformed, expired or revoked. Refresh it or log in again."


class Forbidden(Problem):
    status, code, title = 403, "permission_denied", "Not allowed"
    detail = "You do not have the permission that this needs."


class NotFound(Problem):
    status, code, title = 404, "not_found", "Not found"
    detail = "There is nothing here, or it is not yours to see."


class MethodNotAllowed(Problem):
    status, code, title = 405, "method_not_allowed", "Method not allowed"
    detail = "This address does not answer that method."


class NotAcceptable(Problem):
    status, code, title = 406, "not_acceptable", "Not acceptable"
    detail = "The answer is application/json, which your Accept header leaves out."


class Conflict(Problem):
    """The request is good but does not fit the state of things."""

    status, code, title = 409, "conflict", "Conflict"


class TooLarge(Problem):
    status, code, title = 413, "too_large", "Too large"
    detail = "The body is larger than what is accepted here."


class Invalid(Problem):
    status, code, title = 422, "invalid", "Invalid request"
    detail = "Some fields need attention."


class TooManyRequests(Problem):
    status, code, title = 429, "too_many_requests", "Too many requests"
    detail = "Wait a little, then try again."


class Unavailable(Problem):
    status, code, title = 503, "unavailable", "Not available now"
    detail = "A part that this needs is not reachable. Try again shortly."


class InternalError(Problem):
    status, code, title = 500, "internal_error", "Something went wrong"
    detail = "It has been logged with this request's id (X-Request-ID)."


PLAIN: dict[type[Exception], type[Problem]] = {
    drf.ParseError: Malformed,
    drf.UnsupportedMediaType: Malformed,
    drf.NotAuthenticated: NotAuthenticated,
    drf.AuthenticationFailed: NotAuthenticated,
    drf.PermissionDenied: Forbidden,
    PermissionDenied: Forbidden,
    drf.NotFound: NotFound,
    Http404: NotFound,
    drf.MethodNotAllowed: MethodNotAllowed,
    drf.NotAcceptable: NotAcceptable,
}


def as_problem(error: Exception) -> Problem | None:
    """The Problem that `error` amounts to; None for a programming error, which is logged and answered as 500."""
    match error:
        case Problem():
            return error
        case drf.ValidationError():
            errors = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
            return Invalid(errors=_encodable(errors))
        case drf.Throttled():
            return TooManyRequests(headers={"Retry-After": str(int(getattr(error, "wait", None) or 1))})
        case OperationalError() | InterfaceError():
            return Unavailable(headers={"Retry-After": "1"})
        case _:
            return next((problem() for known, problem in PLAIN.items() if isinstance(error, known)), None)


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler."""
    problem = as_problem(error)
    if problem is None:
        return None
    return Response(problem.body(), status=problem.status, headers=_headers(problem), content_type=CONTENT_TYPE)


def respond(problem: Problem) -> JsonResponse:
    """For what never reaches a DRF view."""
    return JsonResponse(problem.body(), status=problem.status, headers=_headers(problem), content_type=CONTENT_TYPE)


def answer(request: HttpRequest, problem: Problem) -> HttpResponse:
    """The same as a page, for who came by a browser's address bar, link or form: only those ask for HTML by name."""
    if "text/html" not in request.headers.get("Accept", ""):
        return respond(problem)
    shown = {"problem": problem, "home": "/admin/" if request.path.startswith("/admin/") else "/"}
    # Without the request: what a page else knows about it stands in the database, which may be what is away.
    page = render_to_string("problem.html", shown)
    return HttpResponse(page, status=problem.status, headers={"Cache-Control": "no-store", **_headers(problem)})


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if isinstance(exception, DisallowedHost):
        return answer(request, Malformed(f"No site of that name is served here: it is at {settings.PUBLIC_URL}."))
    return answer(request, Malformed("The request is malformed."))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return answer(request, Forbidden())


def form_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW."""
    return answer(
        request, Forbidden("The form is too old, or cookies are switched off. Open its page again, and send it anew.")
    )


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return answer(request, NotFound())


def server_error(request: HttpRequest) -> HttpResponse:
    """Called while the exception is handled: a database that is away is no fault of ours, also where no DRF view is."""
    error = sys.exc_info()[1]
    problem = as_problem(error) if isinstance(error, Exception) else None
    return answer(request, problem or InternalError())


def _headers(problem: Problem) -> dict[str, str]:
    challenge = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else {}
    return challenge | problem.headers


def _encodable(errors: dict[str, Any]) -> dict[str, Any]:
    """Messages quote what was sent, which may hold lone surrogates: JSON can carry those, UTF-8 cannot."""
    text = json.dumps(errors, ensure_ascii=False, default=str)
    replaced: dict[str, Any] = json.loads(text.encode(errors="replace"))
    return replaced
