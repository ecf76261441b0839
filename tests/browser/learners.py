"""A learner's app: what a client of chat-gateway's own protocol sends and gets."""

from __future__ import annotations

import json
import uuid
from typing import Any

from websockets.sync.client import ClientConnection


class App:
    """`chat.v1` on one ticket, and every message that came."""

    def __init__(self, ticket: dict[str, Any], socket: ClientConnection) -> None:
        self.ticket, self.socket = ticket, socket
        self.messages: list[dict[str, Any]] = []
        self.send(type="hello", since=0)

    def send(self, **frame: Any) -> None:
        self.socket.send(json.dumps(frame))

    def say(self, text: str) -> None:
        self.send(type="message", client_id=str(uuid.uuid4()), message=text)

    def until(self, kind: str, **values: Any) -> dict[str, Any]:
        """The next frame of that kind with those values; messages before it are kept."""
        for text in iter(lambda: self.socket.recv(timeout=20), None):
            frame: dict[str, Any] = json.loads(text)
            if frame["type"] == "message":
                self.messages.append(frame)
            if frame["type"] == kind and values.items() <= frame.items():
                return frame
        raise AssertionError("unreachable")

    def texts(self) -> list[str]:
        return [message["message"] for message in self.messages]
