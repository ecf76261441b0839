"""One exception tree, one renderer to RFC 9457 problem+json. The shared codes and their words are in deploy/contracts.md."""

from __future__ import annotations

from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

CONTENT_TYPE = "application/problem+json"
NOT_THERE_YET = {"42P01", "3F000", "42501"}  # undefined table, schema; not granted: core has not published it yet

log = structlog.get_logger()


class Problem(Exception):
    """Something a client is told. Subclasses say what; `errors` names fields."""

    status = 500
    code = "internal_error"
    title = "Something went wrong"
    detail = "It has been logged with this request's id (X-Request-ID)."

    def __init__(self, errors: dict[str, list[str]] | None = None) -> None:
        super().__init__(self.code)
        self.errors = errors

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": f"urn:lectern:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        return body | {"errors": self.errors} if self.errors else body


class NotAuthenticated(Problem):
    status, code, title = 401, "not_authenticated", "Not authenticated"
    detail = 'Send an access token in the header "Authorization: Bearer …".'


class TokenInvalid(Problem):
    status, code, title = 401, "token_invalid", "Token not accepted"
    detail = "The access token is malformed, expired or revoked. Refresh it or log in again."


class PermissionDenied(Problem):
    status, code, title = 403, "permission_denied", "Not allowed"
    detail = "You do not have the permission that this needs."


class NotFound(Problem):
    status, code, title = 404, "not_found", "Not found"
    detail = "There is nothing here, or it is not yours to see."


class MethodNotAllowed(Problem):
    status, code, title = 405, "method_not_allowed", "Method not allowed"
    detail = "This address does not answer that method."


class Invalid(Problem):
    status, code, title = 422, "invalid", "Invalid request"
    detail = "Some fields need attention."


class Malformed(Problem):
    status, code, title = 400, "malformed", "Malformed request"
    detail = "The body is not valid JSON."


class MalformedForm(Malformed):
    detail = "The body is not a multipart form that can be read."


class UnsupportedMediaType(Problem):
    status, code, title = 415, "unsupported_media_type", "Unsupported media type"
    detail = "Send the body as application/json."


class NotAForm(UnsupportedMediaType):
    detail = "Send the body as multipart/form-data."


class TooLarge(Problem):
    status, code, title = 413, "too_large", "Too large"
    detail = "The body is larger than what is accepted here."


class FileTooLarge(TooLarge):
    detail = "A file may have at most 20 MiB."


class QuotaExceeded(Problem):
    status, code, title = 413, "quota_exceeded", "Too much for one day"
    detail = "One person may send 500 MiB of files within a day. Go on tomorrow."


class NoRoom(Problem):
    status, code, title = 507, "disk_full", "No room left"
    detail = "The server has no room for the file. Tell its operator, then try again."


class NotAcceptable(Problem):
    status, code, title = 406, "not_acceptable", "Not acceptable"
    detail = "The answer is application/json, which your Accept header leaves out."


class Unavailable(Problem):
    status, code, title = 503, "unavailable", "Not available now"
    detail = "A part that this needs is not reachable. Try again shortly."


class TicketClosed(Problem):
    status, code, title = 409, "ticket_closed", "The ticket is closed"
    detail = "Reopen it to go on with the conversation."


class TicketNotClosed(Problem):
    status, code, title = 409, "ticket_not_closed", "The ticket is not closed"
    detail = "Rate the help when the conversation is over: close the ticket first."


class TicketErased(Problem):
    status, code, title = 409, "ticket_erased", "Nobody is there any more"
    detail = "The person who asked has been erased, and their texts with them. The ticket stays closed."


class AlreadyAssigned(Problem):
    status, code, title = 409, "already_assigned", "Already assigned"
    detail = "Somebody else has this ticket. Ask them to transfer it."


class AtCapacity(Problem):
    status, code, title = 409, "at_capacity", "No room left"
    detail = "That agent has as many open tickets as they may have."


class AgentAbsent(Problem):
    status, code, title = 409, "agent_absent", "The agent is not there"
    detail = "Only an agent who is online can be handed a ticket."


class NothingToPropose(Problem):
    status, code, title = 409, "nothing_to_propose", "Nothing to propose"
    detail = "That line is refunded already, or its enrolment is over."


class ApprovalPending(Problem):
    status, code, title = 409, "approval_pending", "Another proposal waits"
    detail = "Another proposal about the same thing waits for a decision."


class AttachmentNotReady(Problem):
    status, code, title = 409, "attachment_not_ready", "The attachment is not ready"
    detail = (
        "Name one that you uploaded to this ticket, that no message names yet, and whose state is ready. "
        "One that is being scanned takes a moment; one that was rejected stays so."
    )


FROM_DRF: dict[type[exceptions.APIException], type[Problem]] = {
    exceptions.NotAuthenticated: NotAuthenticated,
    exceptions.AuthenticationFailed: TokenInvalid,
    exceptions.PermissionDenied: PermissionDenied,
    exceptions.NotFound: NotFound,
    exceptions.MethodNotAllowed: MethodNotAllowed,
    exceptions.ParseError: Malformed,
    exceptions.UnsupportedMediaType: UnsupportedMediaType,
    exceptions.NotAcceptable: NotAcceptable,
}


def render(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's EXCEPTION_HANDLER: every refusal and every failure leaves as problem+json, without a stack trace."""
    problem = as_problem(error)
    if problem.status >= 500:
        log.error("request_failed", view=type(context["view"]).__name__, exc_info=error)
    headers = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else None
    return Response(problem.body(), problem.status, headers=headers, content_type=CONTENT_TYPE)


def as_problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, exceptions.ValidationError):
        return Invalid(flat(error.detail))
    if isinstance(error, Http404):
        return NotFound()
    if is_outage(error):
        return Unavailable()
    return next((problem for known, problem in FROM_DRF.items() if isinstance(error, known)), Problem)()


def is_outage(error: Exception) -> bool:
    """The database is away, or a view that core-api publishes is not there (yet)."""
    if isinstance(error, (OperationalError, InterfaceError)):
        return True
    cause = error.__cause__ if isinstance(error, DatabaseError) else error
    return getattr(cause, "sqlstate", None) in NOT_THERE_YET


def flat(detail: Any, name: str = "") -> dict[str, list[str]]:
    """DRF's nested error details as {"field": ["…"]}, deeper ones as "outer.inner"."""
    if isinstance(detail, dict):
        found: dict[str, list[str]] = {}
        for key, inner in detail.items():
            found |= flat(inner, f"{name}.{key}" if name else str(key))
        return found
    texts = detail if isinstance(detail, list) else [detail]
    return {name or "body": [_encodable(str(text)) for text in texts]}


def _encodable(text: str) -> str:
    """Messages quote what was sent, which may hold lone surrogates: JSON can carry those, UTF-8 cannot."""
    return text.encode(errors="replace").decode()


def as_response(problem: Problem) -> JsonResponse:
    return JsonResponse(problem.body(), status=problem.status, content_type=CONTENT_TYPE)


def page_not_found(_request: HttpRequest, exception: Exception) -> JsonResponse:
    return as_response(NotFound())


def bad_request(_request: HttpRequest, exception: Exception) -> JsonResponse:
    return as_response(Malformed())


def server_error(_request: HttpRequest) -> JsonResponse:
    return as_response(Problem())
