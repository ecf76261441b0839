"""How tests upload: requests of tus, and a look at what came of them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import psycopg
from conftest import Client, Databases
from world import Person

PATH = "/stream/v1/uploads/"
TUS = {"Tus-Resumable": "1.0.0"}
CHUNK = TUS | {"Content-Type": "application/offset+octet-stream"}
VIDEO = bytes(range(256)) * 4000  # a megabyte in which every place is another's


def named(name: str) -> dict[str, str]:
    return {"Upload-Metadata": f"filename {base64.b64encode(name.encode()).decode()}"}


async def begin(client: Client, person: Person, size: int = len(VIDEO), **headers: str) -> str:
    answer = await client.post(PATH, headers={**TUS, **person.bearer, "Upload-Length": str(size), **headers})
    assert answer.status_code == 201, answer.text
    location: str = answer.headers["location"]
    assert location.startswith(PATH)  # of this host, whatever X-Forwarded-Host says
    return location


async def send(client: Client, person: Person, at: str, offset: int, data: Any, **headers: str) -> httpx.Response:
    headers = {**CHUNK, **person.bearer, "Upload-Offset": str(offset), **headers}
    return await client.patch(at, content=data, headers=headers)


async def offset(client: Client, person: Person, at: str) -> int:
    answer = await client.head(at, headers=TUS | person.bearer)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return int(answer.headers["upload-offset"])


def kept(root: Path, at: str) -> bytes:
    return (root / "received" / at.rpartition("/")[2]).read_bytes()


def as_core(databases: Databases, statement: str, *values: Any) -> Any:
    with psycopg.connect(databases.url("core"), autocommit=True) as core:
        return core.execute(statement, values).fetchone()


def published(databases: Databases, at: str) -> Any:
    statement = "SELECT owner, size, finished_at IS NOT NULL FROM stream_published.upload WHERE id = %s"
    return as_core(databases, statement, at.rpartition("/")[2])
