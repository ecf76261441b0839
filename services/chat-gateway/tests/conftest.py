"""A real PostgreSQL (and Redis), migrated once as the owner role; everything under test runs as the runtime role."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import django
import pytest

from deploy.embedded.databases import ROLES, database_url, make_database
from deploy.embedded.throwaway import throwaway
from tests import sockets
from tests.server import BY_EVENTS_ALONE, ChatServer
from tests.world import KEYS, User, World, publish

SERVICE = Path(__file__).resolve().parents[1]
POSTGRES = os.environ.get("LECTERN_TEST_POSTGRES", "")
if not POSTGRES:
    pytest.exit("run: python -m deploy.embedded.testbed -- pytest services/chat-gateway", 2)
DATABASE = f"chat_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
PASSWORD = "made-up"


def url(role: str, database: str = DATABASE) -> str:
    return database_url(POSTGRES, database, role, PASSWORD)


os.environ |= {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "DATABASE_URL": url("chat"),
    "MIGRATION_DATABASE_URL": url("chat_owner"),
    "DJANGO_SECRET_KEY": "made-up",
    "LECTERN_PUBLIC_URL": "http://learn.example",
    "LECTERN_ALLOWED_ORIGINS": "https://app.example",
    "LECTERN_JWKS_URL": KEYS.url,
    "LECTERN_LOG_LEVEL": "debug",
    "LECTERN_ATTACHMENTS_ROOT": str(throwaway("lectern-attachments-")),
    "LECTERN_ERASURE_SWEEP": "0.5",
}
os.environ.pop("REDIS_URL", None)
if redis_url := os.environ.get("LECTERN_TEST_REDIS"):
    os.environ["REDIS_URL"] = redis_url
django.setup()  # with the settings above, before any test imports a model


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "manage.py", *arguments]
    return subprocess.run(command, cwd=SERVICE, env=os.environ | environment, capture_output=True, text=True)


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    """pytest-django's own would make a database as the runtime role."""


@pytest.fixture(scope="session", autouse=True)
def database(django_db_blocker: Any) -> Iterator[None]:
    make_database(POSTGRES, os.environ["LECTERN_TEST_PSQL"], DATABASE, dict.fromkeys(ROLES, PASSWORD))
    publish(url("core_owner"))
    migrated = manage("migrate", "-v0")
    assert migrated.returncode == 0, migrated.stderr
    with django_db_blocker.unblock():
        yield
        from django.db import connections

        connections.close_all()
        connections["default"].close_pool()


@pytest.fixture(scope="session")
def world(database: None) -> Iterator[World]:
    world = World(url("core_owner"))
    yield world
    world.connection.close()


@pytest.fixture
def category(world: World) -> tuple[Any, str]:
    return world.category()


@pytest.fixture
def alice(world: World) -> User:
    """A learner."""
    return world.user("alice")


@pytest.fixture
def bob(world: World, category: tuple[Any, str]) -> User:
    """An agent of `category`."""
    return world.agent("bob", category[0])


@pytest.fixture
def mallory(world: World) -> User:
    """A learner with no part in anything."""
    return world.user("mallory")


@pytest.fixture
def call() -> Any:
    """call(user, "POST", "/tickets/", {…}): the answer of /chat/v1/tickets/ in this process."""
    from rest_framework.test import APIClient

    def call(user: User | str | None, method: str, path: str, body: Any = None) -> Any:
        token = user.token() if isinstance(user, User) else user
        client = APIClient(raise_request_exception=False)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return client.generic(
            method,
            path if path.startswith("/chat/") else f"/chat/v1{path}",
            b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode(),
            content_type="application/json",
            headers=headers,
        )

    return call


@pytest.fixture
def ticket(call: Any, alice: User, category: tuple[Any, str]) -> Any:
    """alice's ticket; bob, who answers its category, is not online."""
    answer = call(alice, "POST", "/tickets/", {"category": category[1], "subject": "Help", "message": "It is dark."})
    assert answer.status_code == 201, answer.content
    return answer.json()


@pytest.fixture
def post_file() -> Any:
    """post_file(user, ticket, content, name): the answer to an upload."""
    from django.core.files.uploadedfile import SimpleUploadedFile
    from rest_framework.test import APIClient

    def post_file(user: User, ticket: Any, content: bytes = b"It is dark.", name: str = "note.txt") -> Any:
        return APIClient(raise_request_exception=False).post(
            f"/chat/v1/tickets/{ticket['id']}/attachments/",
            {"file": SimpleUploadedFile(name, content)},
            format="multipart",
            headers={"authorization": f"Bearer {user.token()}"},
        )

    return post_file


@pytest.fixture
def upload(post_file: Any) -> Any:
    """The same; what is known about the attachment then."""

    def upload(*arguments: Any) -> Any:
        answer = post_file(*arguments)
        assert answer.status_code == 201, answer.content
        return answer.json()

    return upload


@pytest.fixture(scope="session")
def running_server(world: World) -> Iterator[ChatServer]:
    running = ChatServer(BY_EVENTS_ALONE).start()
    yield running
    running.stop()


@pytest.fixture
async def server(running_server: ChatServer) -> AsyncIterator[ChatServer]:
    """The real server, with Redis where there is one, and no sweep. What a test opened is closed after it."""
    yield running_server
    await sockets.close_all()


@pytest.fixture
async def own_server(world: World) -> AsyncIterator[ChatServer]:
    """A server that the test may kill. It sweeps, and waits for no agents to return."""
    server = ChatServer("from tickets import assignment; assignment.TO_RETURN = 0").start()
    yield server
    await sockets.close_all()
    server.stop(9)
