"""ClamAV's daemon over TCP: INSTREAM, in clamd's own protocol (https://docs.clamav.net/manual/Usage/ClamdProtocol.html)."""

from __future__ import annotations

import socket
import time
from typing import IO

CONNECT_WITHIN = 5.0  # seconds
WITHIN = 60.0  # seconds for all of a scan
PIECE = 64 * 1024
LONGEST_ANSWER = 4096
CLEAN = b"stream: OK"


class ScannerAway(Exception):
    """It does not answer, or has not scanned all of it: nothing is known about the file. Trying again may help."""


def scan(address: tuple[str, int], file: IO[bytes]) -> str | None:
    """The name of what was found in `file`; None: it is clean. Blocks, a minute at most. Raises ScannerAway."""
    deadline = time.monotonic() + WITHIN
    try:
        with socket.create_connection(address, timeout=CONNECT_WITHIN) as connection:
            _send(connection, b"zINSTREAM\0", deadline)
            while piece := file.read(PIECE):
                _send(connection, len(piece).to_bytes(4, "big") + piece, deadline)
            _send(connection, bytes(4), deadline)
            answer = _answer(connection, deadline)
    except OSError as error:
        raise ScannerAway(str(error)) from error
    if answer == CLEAN:
        return None
    if answer.startswith(b"stream: ") and answer.endswith(b" FOUND"):
        return answer[len(b"stream: ") : -len(b" FOUND")].decode(errors="replace")
    raise ScannerAway(answer.decode(errors="replace") or "the scanner hung up")


def _send(connection: socket.socket, data: bytes, deadline: float) -> None:
    connection.settimeout(max(deadline - time.monotonic(), 0.001))
    connection.sendall(data)


def _answer(connection: socket.socket, deadline: float) -> bytes:
    """What comes before the closing NUL; empty where none comes."""
    received = b""
    while b"\0" not in received and len(received) < LONGEST_ANSWER:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        piece = connection.recv(LONGEST_ANSWER)
        if not piece:
            return b""
        received += piece
    return received.partition(b"\0")[0]
