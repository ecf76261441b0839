"""The way of nearly every request: a file of a playback, answered without the framework.

FastAPI's routing, dependencies and responses, and a log event each, cost several times what the decision costs
(`make bench ARGS=streaming`). What is not quite ordinary here goes on to the route of the same address
(routes/playback.py), and so does every refusal, which is rendered there: the rules are the same, and stand once.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from uuid import UUID

from starlette.types import ASGIApp, Receive, Scope, Send

from stream_gateway import access, logs, metrics
from stream_gateway.delivery import IN_PACKAGE
from stream_gateway.gateway import Gateway
from stream_gateway.problems import DATABASE_AWAY, Problem
from stream_gateway.verifier import Claims, KeysUnavailable, TokenInvalid
from stream_gateway.viewer import COOKIE, REFUSAL

ROUTE = "/stream/v1/p/{playback}/{file:path}"
ASKED = re.compile(
    rf"/stream/v1/p/([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})/(?!progressive)({IN_PACKAGE.pattern})"
)
Headers = Mapping[bytes, bytes]  # names in lower case
Answer = list[tuple[bytes, bytes]]
SECRET = re.compile(rb"(?:^|; )" + COOKIE.encode() + rb"=([A-Za-z0-9_-]+)(?:$|; )")  # as sessions.py makes them


class NotOrdinary(Exception):
    """For the route to look at."""


def single(headers: Sequence[tuple[bytes, bytes]]) -> Headers:
    """Each by its name. Raises NotOrdinary where one is there twice."""
    named = dict(headers)
    if len(named) != len(headers):
        raise NotOrdinary
    return named


class Files:
    """ASGI application around everything else. Only where nginx sends the bytes: `direct` is for developing."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self.app, self.gateway = app, gateway
        self.varying = [(b"vary", b"Origin")] if gateway.settings.allowed_origins else []
        self.duration = metrics.DURATION.labels(ROUTE)
        self.answered = {method: metrics.REQUESTS.labels(method, ROUTE, 200) for method in ("GET", "HEAD")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["method"] in self.answered and ASKED.fullmatch(scope["path"])
        if not asked:
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        try:
            headers = single(scope["headers"])
            cookie, claims = self._who(headers)
            database, kept = self.gateway.database, self.gateway.playing
            playing = await access.may_have_bytes(database, kept, UUID(asked[1]), cookie, claims)
            answer = self._yes(scope["method"], scope["path"], asked[2], headers, playing, began)
        except NotOrdinary:
            await self.app(scope, receive, send)
            return
        except (Problem, *DATABASE_AWAY) as refusal:
            scope.setdefault("state", {})[REFUSAL] = refusal  # so that nothing is asked twice
            await self.app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": answer})
        await send({"type": "http.response.body", "body": b""})

    def at_once(self, method: str, path: str, headers: Headers) -> Answer | None:
        """The headers of the answer 200 without a body, where its "yes" is kept. None: ask in the ordinary way."""
        began = time.perf_counter()
        if not (asked := ASKED.fullmatch(path)):
            return None
        try:
            cookie, claims = self._who(headers)
            playing = self.gateway.playing.kept(access.kept_as(asked[1], cookie, claims))
            return self._yes(method, path, asked[2], headers, playing, began) if playing else None
        except (NotOrdinary, Problem):
            return None

    def _yes(
        self, method: str, path: str, name: str, headers: Headers, playing: access.Playback, began: float
    ) -> Answer:
        answer = self.gateway.delivery.headers(f"{playing.package.path}/{name}")
        request_id = logs.request_id(headers.get(b"x-request-id", b""))
        self.gateway.last_seen.note(playing)
        seconds = time.perf_counter() - began
        self.answered[method].inc()
        self.duration.observe(seconds)
        logs.LINES.request(request_id, method, path, seconds, playing.user)
        return [*answer, (b"x-request-id", request_id.encode()), *self.varying]

    def _who(self, headers: Headers) -> tuple[str | None, Claims | None]:
        """The cookie's secret and the token's claims. Raises NotOrdinary for whatever takes a second look."""
        if b"origin" in headers:
            raise NotOrdinary
        cookies, authorization = headers.get(b"cookie"), headers.get(b"authorization")
        return (
            None if cookies is None else self._secret(cookies),
            None if authorization is None else self._claims(authorization),
        )

    def _secret(self, cookies: bytes) -> str:
        if cookies.count(COOKIE.encode()) != 1 or not (found := SECRET.search(cookies)):
            raise NotOrdinary
        return found[1].decode()

    def _claims(self, authorization: bytes) -> Claims:
        if not authorization.startswith(b"Bearer "):
            raise NotOrdinary
        try:
            return self.gateway.verifier.check(authorization[7:].strip().decode("latin-1"))
        except (TokenInvalid, KeysUnavailable) as error:
            raise NotOrdinary from error
