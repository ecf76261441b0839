"""Starting, watching and ending a playback."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from stream_gateway import access, problems, sessions, watermark
from stream_gateway.access import Playback
from stream_gateway.delivery import ASK_AGAIN, CAPTIONS, IN_PACKAGE, TYPES
from stream_gateway.gateway import Gateway, TheGateway
from stream_gateway.manifest import Caption, captions_of, captions_playlist, with_captions
from stream_gateway.openapi import (
    AUTHENTICATED,
    AUTHENTICATED_OR_PREVIEW,
    COOKIE_OR_AUTHENTICATED,
    open_to,
    refusals,
)
from stream_gateway.problems import Problem
from stream_gateway.routes.watermark import WatermarkText
from stream_gateway.sessions import Opened
from stream_gateway.viewer import COOKIE, Bearer, Cookie, Person, PersonBesideCookie, PersonOrNobody, TheClient, let_in
from stream_gateway.watermark import Watermark

PREFIX = "/stream/v1"
router = APIRouter(prefix=PREFIX, tags=["playback"])

BYTES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file", "content": {"application/octet-stream": {}}},
    206: {"description": "The range of it that was asked for"},
    304: {"description": "Unchanged since the copy that the client has"},
}
WATCHING = refusals(
    problems.NOT_AUTHENTICATED,
    problems.TOKEN_INVALID,
    problems.ACCESS_ENDED,
    problems.NOT_FOUND,
    problems.PLAYBACK_SUPERSEDED,
    problems.RANGE_NOT_SATISFIABLE,
    problems.UNAVAILABLE,
)

MAY_NOT_START = refusals(
    problems.NOT_ENROLLED,
    problems.LESSON_NOT_OPEN,
    problems.ACCESS_ENDED,
    problems.VIDEO_NOT_READY,
    problems.PLAYBACK_SUPERSEDED,
)


class Wanted(BaseModel):
    lesson: UUID = Field(description="The lesson to watch")


class CaptionLink(BaseModel):
    language: str = Field(description="BCP 47", examples=["en"])
    label: str = Field(examples=["English"])
    url: str


class PlaybackLinks(BaseModel):
    """Addresses on this hostname; each needs the cookie that came with them, or the same person's token."""

    playback: UUID
    manifest_url: str = Field(description="HLS, with captions")
    mp4_url: str
    captions: list[CaptionLink]
    poster_url: str
    sprites_url: str
    watermark: WatermarkText
    expires_at: str = Field(description="UTC; start again then", examples=["2026-11-22T20:00:00Z"])


@router.post(
    "/playback",
    status_code=201,
    dependencies=[Bearer],
    openapi_extra=open_to(AUTHENTICATED_OR_PREVIEW),
    responses=refusals(
        problems.MALFORMED,
        problems.NOT_AUTHENTICATED,
        problems.TOKEN_INVALID,
        problems.NOT_ENROLLED,
        problems.LESSON_NOT_OPEN,
        problems.NOT_FOUND,
        problems.VIDEO_NOT_READY,
        problems.INVALID,
        problems.TOO_MANY_REQUESTS,
        problems.UNAVAILABLE,
    ),
)
async def start_playback(
    wanted: Wanted, claims: PersonOrNobody, gateway: TheGateway, client: TheClient, response: Response
) -> PlaybackLinks:
    """Opens a playback session. Of one person's sessions only so many play at once: the one idle for longest is ended."""
    start = await access.may_start(gateway.database, wanted.lesson, claims)
    captions = await captions_of(gateway.database, wanted.lesson)
    opened = await sessions.open_session(gateway.database, start, claims, client, gateway.settings.stream_limit)
    if opened.superseded:
        gateway.playing.drop_all()  # so that its next request is refused even before the notification is here
    mark = await watermark.current(gateway.database, opened.id)
    _set_cookie(response, gateway, opened)
    response.headers["Cache-Control"] = "no-store"
    return _links(opened, captions, mark)


@router.get(
    "/p/{playback}/{file:path}",
    dependencies=[Bearer, Cookie],
    openapi_extra=open_to(COOKIE_OR_AUTHENTICATED),
    response_class=Response,
    responses={**BYTES, **WATCHING},
)
@router.head(
    "/p/{playback}/{file:path}",
    dependencies=[Bearer, Cookie],
    openapi_extra=open_to(COOKIE_OR_AUTHENTICATED),
    response_class=Response,
    responses={**BYTES, **WATCHING},
)
async def get_file(
    playback: UUID, file: str, request: Request, gateway: TheGateway, claims: PersonBesideCookie
) -> Response:
    """A file of the session's package, or of the lesson's captions."""
    playing = await let_in(request, gateway, playback, claims)
    answer = await _file(request, gateway, playing, file)
    gateway.last_seen.note(playing)
    return answer


@router.delete(
    "/p/{playback}",
    status_code=204,
    dependencies=[Bearer, Cookie],
    openapi_extra=open_to(COOKIE_OR_AUTHENTICATED),
    responses=refusals(problems.NOT_AUTHENTICATED, problems.TOKEN_INVALID, problems.NOT_FOUND, problems.UNAVAILABLE),
)
async def end_playback(
    playback: UUID, request: Request, gateway: TheGateway, claims: PersonBesideCookie, response: Response
) -> None:
    """Ends it. Ending an ended one is fine."""
    await access.may_end(gateway.database, playback, request.cookies.get(COOKIE), claims)
    await sessions.end_session(gateway.database, playback, "viewer")
    gateway.playing.drop_all()
    response.delete_cookie(COOKIE, path=_path(playback), secure=gateway.settings.secure, httponly=True, samesite="lax")


@router.get(
    "/lessons/{lesson}/video",
    dependencies=[Bearer],
    openapi_extra=open_to(AUTHENTICATED),
    response_class=Response,
    responses={**BYTES, **WATCHING, **MAY_NOT_START},
)
@router.head(
    "/lessons/{lesson}/video",
    dependencies=[Bearer],
    openapi_extra=open_to(AUTHENTICATED),
    response_class=Response,
    responses={**BYTES, **WATCHING, **MAY_NOT_START},
)
async def get_video(lesson: UUID, request: Request, gateway: TheGateway, claims: Person, client: TheClient) -> Response:
    """The progressive MP4. Counts as a playback session, which later requests of the same login go on using."""

    async def decide() -> Playback:
        start = await access.may_start(gateway.database, lesson, claims)
        if start.grounds != "entitled":
            raise Problem(problems.NOT_ENROLLED)
        return await sessions.open_progressive(gateway.database, start, claims, client, gateway.settings.stream_limit)

    key = (lesson, claims.user, claims.generation, claims.session)
    playing = await access.yes(gateway.playing, key, decide)
    answer = await gateway.delivery.progressive(request, playing.package)
    gateway.last_seen.note(playing)
    return answer


async def _file(request: Request, gateway: Gateway, playing: Playback, name: str) -> Response:
    """`name` is used only where it matched entirely; paths are made of what the database says."""
    if name == "master.m3u8":
        master = await gateway.storage.text(f"{playing.package.path}/master.m3u8")
        return _playlist(with_captions(master, await captions_of(gateway.database, playing.lesson)))
    if name == "progressive.mp4":
        return await gateway.delivery.progressive(request, playing.package)
    if IN_PACKAGE.fullmatch(name):
        return await gateway.delivery.send(request, f"{playing.package.path}/{name}")
    if match := CAPTIONS.fullmatch(name):
        return await _caption(request, gateway, playing, *match.groups())
    raise Problem(problems.NOT_FOUND)


async def _caption(request: Request, gateway: Gateway, playing: Playback, language: str, suffix: str) -> Response:
    for caption in await captions_of(gateway.database, playing.lesson):
        if caption.language == language:
            if suffix == "m3u8":
                return _playlist(captions_playlist(language, playing.package.duration_s))
            return await gateway.delivery.send(request, caption.path)
    raise Problem(problems.NOT_FOUND)


def _playlist(text: str) -> Response:
    return Response(text, headers={"Content-Type": TYPES[".m3u8"], "Cache-Control": ASK_AGAIN})


def _path(playback: UUID) -> str:
    """Without a slash at its end, so that a cookie for it is also sent with DELETE to it."""
    return f"{PREFIX}/p/{playback}"


def _set_cookie(response: Response, gateway: Gateway, opened: Opened) -> None:
    response.set_cookie(
        COOKIE,
        opened.secret or "",
        max_age=int((opened.expires_at - datetime.now(UTC)).total_seconds()),
        path=_path(opened.id),
        secure=gateway.settings.secure,
        httponly=True,
        samesite="lax",
    )


def _links(opened: Opened, captions: list[Caption], mark: Watermark) -> PlaybackLinks:
    base = _path(opened.id)
    return PlaybackLinks(
        playback=opened.id,
        manifest_url=f"{base}/master.m3u8",
        mp4_url=f"{base}/progressive.mp4",
        captions=[
            CaptionLink(language=one.language, label=one.label, url=f"{base}/captions-{one.language}.vtt")
            for one in captions
        ],
        poster_url=f"{base}/poster.jpg",
        sprites_url=f"{base}/sprites.vtt",
        watermark=WatermarkText.of(mark, base),
        expires_at=opened.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
