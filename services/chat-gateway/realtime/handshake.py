"""What a WebSocket request asks for, before anybody is let in: protocol, credential, origin.

Always accepted first and closed with a code then, so that a browser sees the code.
"""

from __future__ import annotations

import uuid
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

PLAIN = "plain.v1"
CHAT = "chat.v1"
CONNECT_TICKET = "ticket."

MALFORMED = 4400
NOT_AUTHENTICATED = 4401
FORBIDDEN = 4403
TOO_SLOW = 4408
TOO_FAST = 4429
FAILED = 1011
RESTARTING = 1012
TRY_LATER = 1013  # the database or the keys are away


@dataclass(frozen=True, slots=True)
class Handshake:
    """`subprotocol` is what is echoed: chat.v1, plain.v1 or none (plain frames). `refusal` is a close code."""

    subprotocol: str | None
    connect_ticket: str | None
    token: str | None
    since: int | None
    refusal: int | None

    @property
    def typed(self) -> bool:
        return self.subprotocol == CHAT


def read(scope: Mapping[str, Any], origins: Container[str]) -> Handshake:
    offered: list[str] = scope.get("subprotocols", [])
    subprotocol = CHAT if CHAT in offered else PLAIN if PLAIN in offered else None
    connect_ticket = next((o.removeprefix(CONNECT_TICKET) for o in offered if o.startswith(CONNECT_TICKET)), None)
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    token = query.get("token", [None])[0]
    since, refusal = None, None
    if offered and subprotocol is None:
        refusal = MALFORMED  # none of what is asked for is spoken here
    if "since" in query:
        since = _seq(query["since"][0])
        refusal = MALFORMED if since is None else refusal
    if not _origin_allowed(scope, origins):
        refusal = FORBIDDEN
    return Handshake(subprotocol, connect_ticket, token, since, refusal)


def _seq(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _origin_allowed(scope: Mapping[str, Any], origins: Container[str]) -> bool:
    """Browsers always send an Origin; native apps send none, and carry no cookies to be abused either."""
    origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
    return origin is None or origin.decode("latin-1").lower() in origins


def ticket_id(text: str) -> uuid.UUID | None:
    """None for what is no UUID: such a ticket is as unknown as any other."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
