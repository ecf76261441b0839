"""Who asks: the access token of a request, verified; its cookie; and where it came from."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer

from stream_gateway import access, problems, sessions
from stream_gateway.access import AccessLost, Playback
from stream_gateway.gateway import Gateway, TheGateway
from stream_gateway.problems import Problem
from stream_gateway.sessions import Client
from stream_gateway.verifier import Claims, KeysUnavailable, TokenInvalid

COOKIE = "lectern_playback"
DOWNLOAD_COOKIE = "lectern_download"
REFUSAL = "refusal"  # in the request's state: what files.py found, for the route to say

# For the OpenAPI document; what they let through is decided below.
documented_bearer = HTTPBearer(auto_error=False, scheme_name="Bearer", bearerFormat="JWT")
documented_cookie = APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="Playback cookie")
documented_download_cookie = APIKeyCookie(name=DOWNLOAD_COOKIE, auto_error=False, scheme_name="Download cookie")


async def person_or_nobody(request: Request, gateway: TheGateway) -> Claims | None:
    """The claims of the access token; None without one. Raises Problem: 401, 503 while there are no keys."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Problem(problems.NOT_AUTHENTICATED)
    try:
        claims = await gateway.verifier.averify(token.strip())
    except TokenInvalid as error:
        raise Problem(problems.TOKEN_INVALID) from error
    except KeysUnavailable as error:
        raise Problem(problems.UNAVAILABLE) from error
    request.state.user = claims.user  # for the log line
    return claims


async def downloader(request: Request, gateway: TheGateway) -> Claims | None:
    """Like `person_or_nobody`; without the header, whoever the cookie of this download's link names."""
    token = request.cookies.get(DOWNLOAD_COOKIE)
    if token is None or "authorization" in request.headers:
        return await person_or_nobody(request, gateway)
    try:
        claims = await gateway.verifier.averify(token)
    except TokenInvalid:
        return None  # too old: as if there were none
    except KeysUnavailable as error:
        raise Problem(problems.UNAVAILABLE) from error
    request.state.user = claims.user
    return claims


async def person(claims: Annotated[Claims | None, Depends(person_or_nobody)]) -> Claims:
    if claims is None:
        raise Problem(problems.NOT_AUTHENTICATED)
    return claims


async def person_beside_cookie(request: Request, gateway: TheGateway) -> Claims | None:
    """Like `person_or_nobody`, but a token that is no good does not spoil a request that also has a cookie."""
    try:
        return await person_or_nobody(request, gateway)
    except Problem:
        if COOKIE in request.cookies:
            return None
        raise


async def let_in(request: Request, gateway: Gateway, playback: UUID, claims: Claims | None) -> Playback:
    """The session, for whoever may have its files now. Raises Problem: 401, 403, 404, 409."""
    cookie = request.cookies.get(COOKIE)
    try:
        if refusal := getattr(request.state, REFUSAL, None):
            raise refusal
        playing = await access.may_have_bytes(gateway.database, gateway.playing, playback, cookie, claims)
    except AccessLost:
        await sessions.end_session(
            gateway.database, playback, "access_ended"
        )  # the admin site should not show it as playing
        raise
    request.state.user = playing.user
    return playing


def client(request: Request) -> Client:
    host = request.client.host if request.client else "0.0.0.0"  # noqa: S104  no address is known: all such share one limit
    ip = ip_address(host.partition("%")[0])
    # A proxy that listens for both kinds says ::ffff:198.51.100.7. All of IPv4 lies in one /64 there, and would share one limit.
    address = str(getattr(ip, "ipv4_mapped", None) or ip)
    return Client(address, request.headers.get("user-agent", "")[:300].replace("\0", ""))


Bearer = Depends(documented_bearer)
Cookie = Depends(documented_cookie)
DownloadCookie = Depends(documented_download_cookie)
Downloader = Annotated[Claims | None, Depends(downloader)]
Person = Annotated[Claims, Depends(person)]
PersonOrNobody = Annotated[Claims | None, Depends(person_or_nobody)]
PersonBesideCookie = Annotated[Claims | None, Depends(person_beside_cookie)]
TheClient = Annotated[Client, Depends(client)]
