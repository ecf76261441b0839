"""A daemon that speaks clamd's INSTREAM over TCP and knows one virus: EICAR's test file, which harms nobody."""

from __future__ import annotations

import socketserver
import threading
from typing import Any

# In pieces, so that no scanner takes this file for it.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!" + b"$H+H*"
LONGEST_STREAM = 25 * 2**20  # clamd's StreamMaxLength


class Clamd(socketserver.ThreadingTCPServer):
    """`seen`: the streams that were scanned. `mood`: how it answers; `lets_go`: when."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Scan)
        self.seen: list[bytes] = []
        self.mood = "well"
        self.lets_go = threading.Event()
        self.lets_go.set()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", int(self.socket.getsockname()[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up hangs up."""

    def stop(self) -> None:
        self.lets_go.set()
        self.shutdown()
        self.server_close()


class Scan(socketserver.StreamRequestHandler):
    server: Clamd

    def handle(self) -> None:
        assert self.rfile.read(10) == b"zINSTREAM\0"
        stream = bytearray()
        while length := int.from_bytes(self.rfile.read(4), "big"):
            stream += self.rfile.read(length)
            if len(stream) > LONGEST_STREAM or self.server.mood == "too small":
                self.wfile.write(b"INSTREAM size limit exceeded. ERROR\0")
                return
        self.server.seen.append(bytes(stream))
        self.server.lets_go.wait(20)
        self.wfile.write(
            {
                "well": b"stream: Eicar-Test-Signature FOUND\0" if EICAR in stream else b"stream: OK\0",
                "confused": b"stream: OKAY\0",
                "cut off": b"stream: OK",
                "hangs up": b"",
                "too small": b"INSTREAM size limit exceeded. ERROR\0",
                "failing": b"stream: Can't allocate memory ERROR\0",
            }[self.server.mood]
        )
