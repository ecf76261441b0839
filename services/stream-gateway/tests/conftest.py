"""A real PostgreSQL, migrated as the owner role and used as the runtime role; one database for the suite, people of their own
for each test, so that tests do not meet."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from contract.vectors import SigningKeys
from world import Lesson, Person, World

from deploy.embedded.databases import ROLES, database_url, make_database
from stream_gateway.app import served
from stream_gateway.gateway import Gateway
from stream_gateway.migrate import migrate
from stream_gateway.settings import Settings
from stream_gateway.verifier import TokenVerifier

PASSWORDS = {role: f"{role}-password" for role in ROLES}
PUBLISHED = Path(__file__).with_name("published.sql")
JWKS_URL = "http://core.test/.well-known/jwks.json"


@dataclass
class Databases:
    """One server's databases: `url` as a role of Lectern, `make` for another one with roles and schemas in it."""

    server: str
    name: str

    def url(self, role: str, name: str | None = None) -> str:
        return database_url(self.server, name or self.name, role, PASSWORDS[role])

    def make(self, *, published: bool = True) -> str:
        name = f"stream_{uuid.uuid4().hex[:10]}"
        make_database(self.server, os.environ["LECTERN_TEST_PSQL"], name, PASSWORDS)
        if published:
            with psycopg.connect(self.url("core_owner", name)) as connection:
                connection.execute(PUBLISHED.read_bytes())
        return name

    def superuser(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.server, autocommit=True)


@pytest.fixture(scope="session")
def databases() -> Databases:
    server = os.environ.get("LECTERN_TEST_POSTGRES")
    if not server:
        pytest.exit("LECTERN_TEST_POSTGRES is not set: python -m deploy.embedded.testbed -- pytest", returncode=4)
    found = Databases(server, "")
    found.name = found.make()
    migrate(found.url("stream_owner"))
    return found


@pytest.fixture(scope="session")
def keys() -> SigningKeys:
    return SigningKeys()


@pytest.fixture(scope="session")
def media_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="session")
def uploads_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="session")
def world(databases: Databases, keys: SigningKeys, media_root: Path) -> Iterator[World]:
    made = World(databases.url("core_owner"), keys, media_root)
    yield made
    made.connection.close()


@pytest.fixture
def lesson(world: World) -> Lesson:
    return world.lesson()


@pytest.fixture
def alice(world: World, lesson: Lesson) -> Person:
    alice = world.person("alice")
    world.enrol(alice, lesson)
    return alice


@pytest.fixture
def ines(world: World) -> Person:
    return world.person("ines", "courses.manage")


@pytest.fixture
def mara(world: World) -> Person:
    return world.person("mara", "courses.manage_all")


@pytest.fixture(scope="session")
def owner(databases: Databases) -> Iterator[psycopg.Connection[Any]]:
    """A look at our own tables, past the API."""
    with psycopg.connect(databases.url("stream_owner"), autocommit=True) as connection:
        yield connection


class Client(httpx.AsyncClient):
    """Calls one gateway in this process; keeps cookies as a browser does."""

    def __init__(self, gateway: Gateway) -> None:
        transport = httpx.ASGITransport(served(gateway), raise_app_exceptions=False)
        super().__init__(transport=transport, base_url=gateway.settings.public_url)
        self.gateway = gateway

    async def start(self, person: Any, lesson: Any, **headers: str) -> dict[str, Any]:
        answer = await self.post_playback(lesson, person, **headers)
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def post_playback(self, lesson: Any, person: Any = None, **headers: str) -> httpx.Response:
        who = person.bearer if person else {}
        return await self.post("/stream/v1/playback", json={"lesson": str(lesson.id)}, headers=who | headers)


Open = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def open_gateway(databases: Databases, keys: SigningKeys, media_root: Path, uploads_root: Path) -> Open:
    """Runs a gateway with changed settings: `async with open_gateway(delivery="direct") as client`."""

    @asynccontextmanager
    async def opened(*, listening: bool = True, **changes: Any) -> AsyncIterator[Client]:
        values = {
            "DATABASE_URL": databases.url("stream"),
            "LECTERN_PUBLIC_URL": "http://lectern.test",
            "LECTERN_JWKS_URL": JWKS_URL,
            "LECTERN_MEDIA_ROOT": media_root,
            "LECTERN_UPLOADS_ROOT": uploads_root,
            "LECTERN_TRUSTED_PROXIES": "127.0.0.1/32",
            "LECTERN_LOG_LEVEL": "warning",
            **changes,
        }
        verifier = TokenVerifier(JWKS_URL, fetch=lambda _url: keys.jwks())
        gateway = Gateway(Settings(**values), verifier)
        async with gateway.running(), Client(gateway) as client:
            if listening:
                await until(lambda: gateway.listener.live and verifier.ready)
            yield client

    return opened


@pytest.fixture
async def client(open_gateway: Open) -> AsyncIterator[Client]:
    async with open_gateway() as opened:
        yield opened


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Waits for `condition`, which must come true in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  what is waited for happens in a database or another process
            await asyncio.sleep(0.005)


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and stable code of a refusal, which must be a problem document in every detail."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"] == f"urn:lectern:problem:{body['code']}"
    assert set(body) - {"errors", "opens_at"} == {"type", "title", "status", "code", "detail"}
    assert "x-accel-redirect" not in answer.headers
    return answer.status_code, body["code"]


async def refused_within_a_second(ask: Callable[[], Any], expected: tuple[int, str]) -> None:
    """Asks on until it is refused, as `expected`."""
    async with asyncio.timeout(1):
        while (answer := await ask()).status_code == 200:  # noqa: ASYNC110  what is waited for happens in a database
            await asyncio.sleep(0.01)
    assert code(answer) == expected
