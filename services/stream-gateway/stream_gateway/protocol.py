"""uvicorn's HTTP, with a short way for what can be answered at once: a file of a playback whose "yes" is kept.

A task, a scope, a response in two messages and their checks cost four times what that answer costs (ADR 14). Only a request
that came whole, alone and without a body, in the plainest form of HTTP/1.1, is looked at here; whatever else is uvicorn's.
"""

from __future__ import annotations

import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from stream_gateway.files import Files

# No white space before a colon, no folded line, nothing encoded in the address: nothing that two readers could read differently.
PLAIN = re.compile(
    rb"(GET|HEAD) (/stream/v1/p/[0-9a-f-]{36}/[a-z0-9.-]+) HTTP/1\.1\r\n((?:[A-Za-z0-9-]+: [\t\x20-\x7e\x80-\xff]*\r\n)+)\r\n"
)
NOT_PLAIN = {b"connection", b"content-length", b"expect", b"te", b"trailer", b"transfer-encoding", b"upgrade"}


class Protocol(HttpToolsProtocol):
    """One connection. For `uvicorn.run(http=…)`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._files = self.app if isinstance(self.app, Files) else None
        self._between_requests = True
        self._answered_at = 0.0

    def on_message_begin(self) -> None:
        self._between_requests = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._between_requests = True

    def data_received(self, data: bytes) -> None:
        if not self._answer_at_once(data):
            super().data_received(data)

    def _answer_at_once(self, data: bytes) -> bool:
        if self._files is None or not self._idle or not (plain := PLAIN.fullmatch(data)):
            return False
        lines = [line.partition(b": ") for line in plain[3].splitlines()]
        headers = {name.lower(): value.strip(b" \t") for name, _, value in lines}
        if len(headers) != len(lines) or not NOT_PLAIN.isdisjoint(headers):
            return False
        answer = self._files.at_once(plain[1].decode(), plain[2].decode(), headers)
        if answer is None:
            return False
        said = b"".join([b"%b: %b\r\n" % header for header in self.server_state.default_headers + answer])
        self.transport.write(b"HTTP/1.1 200 OK\r\n" + said + b"\r\n")
        self.server_state.total_requests += 1
        self._answered_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._wait_for_next(self.timeout_keep_alive)
        return True

    @property
    def _idle(self) -> bool:
        """No request is under way or half here, and what was answered has been read."""
        done = self.cycle is None or self.cycle.response_complete
        return done and self._between_requests and not self.flow.write_paused

    def _wait_for_next(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """Setting the clock anew for each answer would cost more than looking when it is up."""
        left = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._wait_for_next(left)
        else:
            super().timeout_keep_alive_handler()
