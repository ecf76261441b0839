"""What is asked about the service itself: alive, ready, its figures, its document."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from stream_gateway import metrics, openapi, problems
from stream_gateway.database import Database
from stream_gateway.gateway import TheGateway
from stream_gateway.openapi import INTERNAL, PUBLIC, open_to
from stream_gateway.problems import DATABASE_AWAY, Problem

router = APIRouter(tags=["service"])

# Selects nothing, but fails like the decisions would where a view or a grant is missing.
VIEWS = """
SELECT FROM published.principal, published.ended_session, published.lesson, published.package, published.caption,
            published.attachment, published.instructor, published.lesson_access, published.lesson_opening, stream.playback_session,
            stream.upload LIMIT 0
"""


class Readiness(BaseModel):
    database: str
    keys: str
    listener: str


@router.get("/healthz", openapi_extra=open_to(INTERNAL), include_in_schema=False)
async def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@router.get("/readyz", openapi_extra=open_to(INTERNAL), include_in_schema=False)
async def readyz(gateway: TheGateway) -> Readiness:
    """What it needs can be reached: the database with the published views, the public keys, the listening connection."""
    found = {
        "database": await _database(gateway.database),
        "keys": "ok" if gateway.verifier.ready else f"none fetched yet from {gateway.settings.jwks_url}",
        "listener": "ok" if gateway.listener.live else "not connected",
    }
    if missing := {part: [said] for part, said in found.items() if said != "ok"}:
        raise Problem(problems.UNAVAILABLE.but(errors=missing))
    return Readiness(**found)


@router.get("/metrics", openapi_extra=open_to(INTERNAL), include_in_schema=False, response_class=Response)
async def prometheus() -> Response:
    """Prometheus' text format."""
    return Response(metrics.render(), media_type=CONTENT_TYPE_LATEST)


@router.get("/stream/v1/openapi.json", openapi_extra=open_to(PUBLIC))
async def openapi_document(request: Request) -> dict[str, Any]:
    """This document."""
    return openapi.document(request.app)


async def _database(database: Database) -> str:
    try:
        await database.one(VIEWS, {})
    except DATABASE_AWAY as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return "ok"
