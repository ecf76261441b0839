"""What nginx is tested between: services that answer as told and remember what they were asked, and a name server."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"


@dataclass
class Seen:
    method: str
    target: str  # as it came over the wire
    headers: dict[str, str]
    body: bytes


class Service:
    """An HTTP server on 127.0.0.1 (or `address`). `answers` maps a path to an Answer; any other path gets an empty object.

    A request to upgrade is accepted, and what comes then is sent back (nginx only passes bytes on).
    """

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.answers: dict[str, Answer] = {}
        self.seen: list[Seen] = []
        self.on_body: Callable[[bytes], None] = lambda _: None
        self.server = _Server((address, port), _Handler)
        self.server.service = self
        self.port: int = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def last(self) -> Seen:
        return self.seen[-1]

    def forget(self) -> None:
        self.answers.clear()
        self.seen.clear()
        self.on_body = lambda _: None

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    service: Service

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are part of these tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def answer(self) -> None:
        service = self.server.service
        headers = {name.lower(): value for name, value in self.headers.items()}
        service.seen.append(Seen(self.command, self.path, headers, self.read_body()))
        if "upgrade" in headers:
            self.echo()
            return
        usual = Answer(headers={"Content-Type": "application/json"})
        told = service.answers.get(self.path.partition("?")[0], usual)
        self.send_response(told.status)
        for name, value in told.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(told.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(told.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = answer

    def read_body(self) -> bytes:
        body = b""
        remaining = int(self.headers.get("Content-Length") or 0)
        while remaining > 0 and (piece := self.rfile.read1(min(remaining, 65536))):
            body, remaining = body + piece, remaining - len(piece)
            self.server.service.on_body(body)
        return body

    def echo(self) -> None:
        self.send_response(101)
        self.send_header("Upgrade", self.headers["Upgrade"])
        self.send_header("Connection", "upgrade")
        self.end_headers()
        while piece := self.rfile.read1(65536):
            self.wfile.write(piece)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Silent."""


class Rude:
    """Accepts connections and hangs up without a word."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            connection.recv(65536)
            connection.close()

    def stop(self) -> None:
        self.socket.close()


class NameServer:
    """Answers every question for an IPv4 address with `address`, or says that there is no such name."""

    def __init__(self, address: str | None) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                question, client = self.socket.recvfrom(512)
            except OSError:
                return
            found = self.address is not None
            flags, answers = (0x8180, 1) if found else (0x8183, 0)
            reply = question[:2] + struct.pack(">HHHHH", flags, 1, answers, 0, 0) + question[12:]
            if found:
                reply += struct.pack(">HHHIH", 0xC00C, 1, 1, 600, 4) + socket.inet_aton(str(self.address))
            self.socket.sendto(reply, client)

    def stop(self) -> None:
        self.socket.close()


def problem(body: bytes) -> dict[str, object]:
    found = json.loads(body)
    assert set(found) == {"type", "title", "status", "code", "detail"}
    assert found["type"] == f"urn:lectern:problem:{found['code']}"
    return dict(found)
