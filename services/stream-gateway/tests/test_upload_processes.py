"""Uploads through real processes: several workers at once, and a gateway that is killed in the middle of a chunk."""

from __future__ import annotations

import http.client
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from conftest import Databases
from test_processes import Server, jwks, serving
from world import Person, World

from deploy.embedded.waiting import looks

__all__ = ["jwks"]  # a fixture

UPLOADS = "/stream/v1/uploads/"
TUS = {"Tus-Resumable": "1.0.0"}


def begin(server: Server, person: Person, size: int) -> str:
    status, headers, body = server.ask("POST", UPLOADS, **person.bearer, **TUS, Upload_Length=str(size))
    assert status == 201, body
    return headers["location"]


def offset(server: Server, person: Person, at: str) -> int:
    status, headers, _ = server.ask("HEAD", at, **person.bearer, **TUS)
    assert status == 200
    return int(headers["upload-offset"])


def send(server: Server, person: Person, at: str, offset: int, data: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    chunk = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    connection.request("PATCH", at, data, person.bearer | TUS | chunk)
    status = connection.getresponse().status
    connection.close()
    return status


def send_part(server: Server, person: Person, at: str, data: bytes, promised: int) -> socket.socket:
    """A chunk whose rest does not come."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    head = [f"PATCH {at} HTTP/1.1", "Host: x", f"Content-Length: {promised}", "Upload-Offset: 0"]
    head += ["Content-Type: application/offset+octet-stream"]
    head += [f"{name}: {value}" for name, value in (person.bearer | TUS).items()]
    connection.sendall("\r\n".join([*head, "", ""]).encode() + data)
    return connection


def test_an_upload_survives_the_gateways_kill_and_never_mixes_two_workers_chunks(
    databases: Databases, jwks: str, world: World, media_root: Path, uploads_root: Path
) -> None:
    ines, video = world.person("ines", "courses.manage"), os.urandom(3_000_000)
    settings = {
        "DATABASE_URL": databases.url("stream"),
        "LECTERN_JWKS_URL": jwks,
        "LECTERN_MEDIA_ROOT": str(media_root),
        "LECTERN_UPLOADS_ROOT": str(uploads_root),
    }
    with serving(**settings) as (server, process):
        at = begin(server, ines, len(video))
        file = uploads_root / "received" / at.rpartition("/")[2]
        half = send_part(server, ines, at, video[:1_000_000], promised=2_000_000)
        for _ in looks(10):
            if file.exists() and file.stat().st_size >= 500_000:
                break
        process.kill()
        process.wait(timeout=10)
        half.close()
    there = file.stat().st_size
    assert 500_000 <= there <= 1_000_000
    with serving(**settings, LECTERN_WORKERS="2") as (server, _):
        assert offset(server, ines, at) == there
        chunks = [video[there : there + 700_000], *(bytes([number]) * 700_000 for number in range(7))]
        with ThreadPoolExecutor(len(chunks)) as threads:
            statuses = list(threads.map(lambda chunk: send(server, ines, at, there, chunk), chunks))
        assert sorted(set(statuses) - {423}) == [204, 409]
        assert statuses.count(204) == 1
        assert file.read_bytes() == video[:there] + chunks[statuses.index(204)]
        assert offset(server, ines, at) == there + 700_000


def test_memory_does_not_grow_with_what_is_sent(
    databases: Databases, jwks: str, world: World, media_root: Path, uploads_root: Path
) -> None:
    ines, chunk = world.person("ines", "courses.manage"), b"x" * (48 * 1024 * 1024)
    with serving(
        DATABASE_URL=databases.url("stream"),
        LECTERN_JWKS_URL=jwks,
        LECTERN_MEDIA_ROOT=str(media_root),
        LECTERN_UPLOADS_ROOT=str(uploads_root),
    ) as (server, process):
        at = begin(server, ines, len(chunk) * 2)
        before = psutil.Process(process.pid).memory_info().rss
        most, began = 0, time.monotonic()
        with ThreadPoolExecutor(1) as thread:
            sent = thread.submit(send, server, ines, at, 0, chunk)
            while not sent.done() and time.monotonic() - began < 60:
                most = max(most, psutil.Process(process.pid).memory_info().rss)
        assert sent.result() == 204
        assert most - before < 16 * 1024 * 1024
        (uploads_root / "received" / at.rpartition("/")[2]).unlink()
