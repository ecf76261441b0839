"""Resumable uploads, by tus 1.0: https://tus.io/protocols/resumable-upload"""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.utils import format_datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from stream_gateway import problems
from stream_gateway.bodies import UPLOADS as PATH
from stream_gateway.gateway import TheGateway
from stream_gateway.openapi import MANAGERS, PUBLIC, open_to, refusals
from stream_gateway.problems import Problem
from stream_gateway.uploads import protocol, records
from stream_gateway.uploads.actions import State
from stream_gateway.uploads.protocol import ALGORITHMS, CHUNK_TYPE, EXTENSIONS, LARGEST_CHUNK, VERSION
from stream_gateway.verifier import Claims
from stream_gateway.viewer import Bearer, Person

router = APIRouter(tags=["uploads"])

EVERY = refusals(
    problems.NOT_AUTHENTICATED,
    problems.TOKEN_INVALID,
    problems.PERMISSION_DENIED,
    problems.NOT_FOUND,
    problems.TUS_VERSION,
    problems.UNAVAILABLE,
)
WRITING = refusals(
    problems.UPLOAD_HEADER,
    problems.OFFSET_CONFLICT,
    problems.TOO_LARGE,
    problems.NOT_A_CHUNK,
    problems.UPLOAD_BUSY,
    problems.CHECKSUM_MISMATCH,
    problems.DISK_FULL,
)


def header(name: str, about: str, *, required: bool = False, **schema: Any) -> dict[str, Any]:
    return {"in": "header", "name": name, "required": required, "description": about, "schema": schema}


def number(name: str, about: str) -> dict[str, Any]:
    return header(name, about, required=True, type="integer", minimum=0, maximum=10**18 - 1)


def described(*parameters: dict[str, Any], sends_bytes: bool = False) -> dict[str, Any]:
    """For `openapi_extra`: what these routes read from headers and the body by themselves."""
    version = header("Tus-Resumable", "The protocol's version", required=True, type="string", enum=[VERSION])
    body = {
        "required": not parameters or parameters[0]["name"] == "Upload-Offset",
        "content": {CHUNK_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
    return open_to(MANAGERS) | {"parameters": [version, *parameters]} | ({"requestBody": body} if sends_bytes else {})


METADATA = header(
    "Upload-Metadata",
    "Pairs of a key and a value in Base64, each key once; given back as they came",
    type="string",
    pattern=protocol.METADATA,
    maxLength=protocol.LONGEST_METADATA,
)


async def uploader(request: Request, claims: Person, gateway: TheGateway) -> Claims:
    """Whoever may upload, speaking our version of tus. Raises Problem: 401, 403, 412."""
    await records.check_may_upload(gateway.database, claims)
    protocol.check_version(request.headers)
    return claims


Uploader = Annotated[Claims, Depends(uploader)]


@router.options(
    PATH,
    status_code=204,
    openapi_extra=open_to(PUBLIC),
)
async def tell_protocol(gateway: TheGateway, response: Response) -> None:
    """What is spoken here."""
    response.headers["Tus-Version"] = VERSION
    response.headers["Tus-Extension"] = EXTENSIONS
    response.headers["Tus-Max-Size"] = str(gateway.uploads.limits.quota)
    response.headers["Tus-Checksum-Algorithm"] = ",".join(ALGORITHMS)


@router.post(
    PATH,
    status_code=201,
    response_class=Response,
    dependencies=[Bearer],
    openapi_extra=described(number("Upload-Length", "Bytes of the whole file"), METADATA, sends_bytes=True),
    responses=EVERY | WRITING | refusals(problems.TOO_LARGE, problems.QUOTA_EXCEEDED),
)
async def create_upload(request: Request, claims: Uploader, gateway: TheGateway) -> Response:
    """Begins an upload, with its first chunk if one comes along. Continue at `Location`, in chunks of 8 MiB."""
    size, metadata = protocol.length(request.headers), protocol.metadata(request.headers)
    sent = _sends_chunk(request)
    checksum = protocol.checksum(request.headers)
    state = await gateway.uploads.create(claims.user, size, metadata)
    headers = {"Location": f"{PATH}{state.upload.id}"}
    if sent:
        try:
            state = await gateway.uploads.append(state.upload.id, claims.user, 0, _body(request), checksum)
        except Problem:  # the upload is there all the same, and goes on from where it is
            state = await gateway.uploads.look(state.upload.id, claims.user)
    return Response(status_code=201, headers=headers | _progress(state))


@router.head(
    PATH + "{upload}",
    dependencies=[Bearer],
    openapi_extra=described(),
    response_class=Response,
    responses=EVERY | refusals(problems.UPLOAD_BUSY),
)
async def get_upload(upload: UUID, claims: Uploader, gateway: TheGateway) -> Response:
    """How far it is."""
    state = await gateway.uploads.look(upload, claims.user)
    headers = _progress(state) | {"Upload-Length": str(state.upload.size), "Cache-Control": "no-store"}
    if state.upload.metadata:
        headers["Upload-Metadata"] = state.upload.metadata
    return Response(headers=headers)


@router.patch(
    PATH + "{upload}",
    status_code=204,
    response_class=Response,
    dependencies=[Bearer],
    openapi_extra=described(number("Upload-Offset", "Where this chunk begins"), sends_bytes=True),
    responses=EVERY | WRITING,
)
async def append_to_upload(upload: UUID, request: Request, claims: Uploader, gateway: TheGateway) -> Response:
    """The next chunk: 8 MiB, or up to 64. What came counts also where the connection breaks.

    With `Upload-Checksum` (sha1, sha256, sha512) a chunk that came changed is discarded: 460.
    """
    offset, checksum = protocol.offset(request.headers), protocol.checksum(request.headers)
    if not _sends_chunk(request, expected=True):
        raise Problem(problems.NOT_A_CHUNK)
    state = await gateway.uploads.append(upload, claims.user, offset, _body(request), checksum)
    return Response(status_code=204, headers=_progress(state))


@router.delete(
    PATH + "{upload}",
    status_code=204,
    response_class=Response,
    dependencies=[Bearer],
    openapi_extra=described(),
    responses=EVERY | refusals(problems.UPLOAD_BUSY),
)
async def end_upload(upload: UUID, claims: Uploader, gateway: TheGateway) -> Response:
    """Ends it and deletes what came."""
    await gateway.uploads.end(upload, claims.user)
    return Response(status_code=204)


def _sends_chunk(request: Request, *, expected: bool = False) -> bool:
    """Whether the body is a chunk. Raises Problem: 413, and 415 for a body that is something else."""
    length, kind = request.headers.get("content-length", "0"), request.headers.get("content-type")
    if length.isdigit() and int(length) > LARGEST_CHUNK:
        raise Problem(problems.TOO_LARGE.but(detail=f"A chunk may have {LARGEST_CHUNK} bytes. Send chunks of 8 MiB."))
    sends = expected or length != "0" or "transfer-encoding" in request.headers
    if sends and kind != CHUNK_TYPE:
        raise Problem(problems.NOT_A_CHUNK)
    return sends


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        yield piece


def _progress(state: State) -> dict[str, str]:
    return {
        "Upload-Offset": str(state.offset),
        "Upload-Expires": format_datetime(state.expires_at, usegmt=True),
    }
