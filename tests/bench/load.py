"""Clients for the streaming bench, in a process of their own. They parse no more than they must: the servers are measured."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import uvloop

PIECE = 1 << 20
NOTHING_KEPT = getattr(socket, "MSG_TRUNC", 0)  # on Linux, bytes of a TCP socket are dropped without being copied


@dataclass
class Load:
    """What came back within `seconds`."""

    answers: int
    bytes: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        return self.answers / self.seconds

    @property
    def gigabytes(self) -> float:
        return self.bytes / 1e9


def apart(call: Any, *arguments: Any) -> Load:
    """`call(*arguments)` in another process."""
    with ProcessPoolExecutor(1) as process:
        load: Load = process.submit(call, *arguments).result()
    return load


def request(path: str, port: int, **headers: str) -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def bulk(port: int, asked: bytes, seconds: float, connections: int) -> Load:
    """Large answers, over and over, through blocking sockets."""
    until = time.monotonic() + seconds
    sizes: list[int] = []
    waited: list[float] = []
    faults: list[Exception] = []

    def client() -> None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                while (began := time.monotonic()) < until:
                    connection.sendall(asked)
                    sizes.append(_receive(connection))
                    waited.append(time.monotonic() - began)
        except Exception as fault:  # told by the thread that waits
            faults.append(fault)

    threads = [threading.Thread(target=client) for _ in range(connections)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return _loaded(waited, sum(sizes), time.monotonic() - began)


def _receive(connection: socket.socket) -> int:
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(2048)
    head, _, body = head.partition(b"\r\n\r\n")
    if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 206")):
        raise RuntimeError(head.decode())
    size = _length(head)
    left = size - len(body)
    while left:
        left -= len(connection.recv(min(left, PIECE), NOTHING_KEPT)) if not NOTHING_KEPT else _drop(connection, left)
    return size


_scratch = bytearray(PIECE)


def _drop(connection: socket.socket, left: int) -> int:
    dropped = connection.recv_into(_scratch, min(left, PIECE), NOTHING_KEPT)
    if not dropped:
        raise RuntimeError("the server hung up")
    return dropped


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])


class _Asker(asyncio.Protocol):
    """One connection: the next request as soon as an answer is there. All answers to it are equally long."""

    def __init__(self, asked: Any, waited: list[float], until: float, done: asyncio.Future[None]) -> None:
        self.asked, self.waited, self.until, self.done = asked, waited, until, done
        self.size, self.left, self.bytes = 0, 0, 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._ask()

    def _ask(self) -> None:
        self.began = time.monotonic()
        if self.began >= self.until or (following := next(self.asked, None)) is None:
            self.transport.close()
            return
        self.left = 0
        self.transport.write(following)

    def data_received(self, data: bytes) -> None:
        if not self.left:
            if not data.startswith(b"HTTP/1.1 200"):
                self.done.set_exception(RuntimeError(data[:600].decode()))
                self.transport.abort()
                return
            if not self.size:
                head, _, _ = data.partition(b"\r\n\r\n")
                self.size = len(head) + 4 + _length(head)
            self.left = self.size
        self.left -= len(data)
        if not self.left:
            self.bytes += self.size
            self.waited.append(time.monotonic() - self.began)
            self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error) if error else self.done.set_result(None)


def many(port: int, asked: Sequence[bytes], seconds: float, connections: int, once: bool = False) -> Load:
    """Small answers: `asked` round and round, or `once` through."""

    async def run() -> Load:
        loop = asyncio.get_running_loop()
        waited: list[float] = []
        following = iter(asked) if once else cycle(asked)
        until = time.monotonic() + seconds
        askers = [_Asker(following, waited, until, loop.create_future()) for _ in range(connections)]
        began = time.monotonic()
        for asker in askers:
            await loop.create_connection(lambda asker=asker: asker, "127.0.0.1", port)  # type: ignore[misc]  # a default argument
        await asyncio.gather(*(asker.done for asker in askers))
        return _loaded(waited, sum(asker.bytes for asker in askers), time.monotonic() - began)

    return uvloop.run(run())


def _loaded(waited: list[float], size: int, seconds: float) -> Load:
    ordered = sorted(waited)
    p50, p99 = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.99))
    return Load(len(ordered), size, seconds, p50, p99)
