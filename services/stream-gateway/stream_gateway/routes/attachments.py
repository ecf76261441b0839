"""The files of lessons, as downloads."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from stream_gateway import access, problems
from stream_gateway.gateway import TheGateway
from stream_gateway.openapi import AUTHENTICATED, DOWNLOAD_COOKIE_OR_AUTHENTICATED, open_to, refusals
from stream_gateway.viewer import DOWNLOAD_COOKIE, Bearer, DownloadCookie, Downloader, Person

PREFIX = "/stream/v1/attachments"
router = APIRouter(prefix=PREFIX, tags=["attachments"])

REFUSED = refusals(
    problems.NOT_AUTHENTICATED,
    problems.TOKEN_INVALID,
    problems.NOT_ENROLLED,
    problems.LESSON_NOT_OPEN,
    problems.NOT_FOUND,
    problems.UNAVAILABLE,
)
FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file, to be saved", "content": {"application/octet-stream": {}}},
    206: {"description": "The range of it that was asked for"},
    304: {"description": "Unchanged since the copy that the client has"},
    **REFUSED,
    **refusals(problems.RANGE_NOT_SATISFIABLE),
}


class Link(BaseModel):
    """What a browser may follow by itself, with the cookie that came with it."""

    url: str
    expires_at: str = Field(description="UTC; ask for another one then", examples=["2026-11-22T20:00:00Z"])


@router.get(
    "/{attachment}",
    dependencies=[Bearer, DownloadCookie],
    openapi_extra=open_to(DOWNLOAD_COOKIE_OR_AUTHENTICATED),
    response_class=Response,
    responses=FILE,
)
@router.head(
    "/{attachment}",
    dependencies=[Bearer, DownloadCookie],
    openapi_extra=open_to(DOWNLOAD_COOKIE_OR_AUTHENTICATED),
    response_class=Response,
    responses=FILE,
)
async def get_attachment(attachment: UUID, request: Request, gateway: TheGateway, claims: Downloader) -> Response:
    """A file of a lesson that one may open, under the name that its author gave it."""
    found = await access.may_download(gateway.database, attachment, claims)
    return await gateway.delivery.download(request, found)


@router.post(
    "/{attachment}/link",
    status_code=201,
    dependencies=[Bearer],
    openapi_extra=open_to(AUTHENTICATED),
    responses=REFUSED,
)
async def make_link(
    attachment: UUID, request: Request, gateway: TheGateway, claims: Person, response: Response
) -> Link:
    """Lets a browser download the file by a plain link, as long as the access token is good: a link sends no token.

    The token goes into an HttpOnly cookie for this one address, so that the address alone is worth nothing, and whatever ends the
    token ends the link (deploy/contracts.md, "Posters and attachments").
    """
    await access.may_download(gateway.database, attachment, claims)
    address = f"{PREFIX}/{attachment}"
    response.set_cookie(
        DOWNLOAD_COOKIE,
        request.headers["authorization"].partition(" ")[2].strip(),
        max_age=max(0, claims.expires_at - int(time.time())),
        path=address,
        secure=gateway.settings.secure,
        httponly=True,
        samesite="lax",
    )
    response.headers["Cache-Control"] = "no-store"
    expires_at = datetime.fromtimestamp(claims.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Link(url=address, expires_at=expires_at)
