"""What the player draws over the picture, again and again while it plays."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from stream_gateway import problems, watermark
from stream_gateway.gateway import TheGateway
from stream_gateway.openapi import COOKIE_OR_AUTHENTICATED, open_to, refusals
from stream_gateway.viewer import Bearer, Cookie, PersonBesideCookie, let_in
from stream_gateway.watermark import Watermark

router = APIRouter(prefix="/stream/v1", tags=["playback"])


class WatermarkText(BaseModel):
    """To be drawn over the picture, as text and not as HTML; another one after `valid_until`, from `url`."""

    text: str = Field(examples=["Alice Example · 7M2K-Q9TD-04XB"])
    code: str = Field(description="In it the admin site finds whose it is, and when", examples=["7M2K-Q9TD-04XB"])
    valid_until: str = Field(description="UTC", examples=["2026-11-22T20:05:00Z"])
    url: str = Field(examples=["/stream/v1/p/0190…/watermark"])

    @classmethod
    def of(cls, mark: Watermark, base: str) -> Self:
        until = mark.valid_until.strftime("%Y-%m-%dT%H:%M:%SZ")
        return cls(text=mark.text, code=mark.code, valid_until=until, url=f"{base}/watermark")


@router.get(
    "/p/{playback}/watermark",
    dependencies=[Bearer, Cookie],
    openapi_extra=open_to(COOKIE_OR_AUTHENTICATED),
    responses=refusals(
        problems.NOT_AUTHENTICATED,
        problems.TOKEN_INVALID,
        problems.ACCESS_ENDED,
        problems.NOT_FOUND,
        problems.PLAYBACK_SUPERSEDED,
        problems.UNAVAILABLE,
    ),
)
async def get_watermark(
    playback: UUID, request: Request, gateway: TheGateway, claims: PersonBesideCookie, response: Response
) -> WatermarkText:
    """The viewer's name with a code that names this playback and these five minutes."""
    await let_in(request, gateway, playback, claims)
    response.headers["Cache-Control"] = "private, no-store"
    return WatermarkText.of(await watermark.current(gateway.database, playback), f"{router.prefix}/p/{playback}")
