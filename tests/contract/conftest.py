"""The three services' own migrations, run on one database, as `make demo` and Compose do."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import uuid
from pathlib import Path
from types import ModuleType

import psycopg
import pytest

from deploy.embedded.databases import ROLES, database_url, make_database

SERVICES = Path(__file__).resolve().parents[2] / "services"
VERIFIERS = {
    "stream-gateway": SERVICES / "stream-gateway" / "stream_gateway" / "verifier.py",
    "chat-gateway": SERVICES / "chat-gateway" / "realtime" / "verifier.py",
}
PASSWORDS = {role: f"{role}-password" for role in ROLES}


class Lectern:
    """A migrated database, seen as any of its roles."""

    def __init__(self, superuser_url: str, name: str, folder: Path) -> None:
        self.superuser_url, self.name, self.folder = superuser_url, name, folder

    def url(self, role: str) -> str:
        return database_url(self.superuser_url, self.name, role, PASSWORDS[role])

    def connect(self, role: str | None = None) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url(role) if role else database_url(self.superuser_url, self.name), autocommit=True)

    def environment(self, role: str) -> dict[str, str]:
        return os.environ | {
            "DATABASE_URL": self.url(role),
            "MIGRATION_DATABASE_URL": self.url(f"{role}_owner"),
            "DJANGO_DEBUG": "0",
            "DJANGO_SECRET_KEY": "only-for-the-tests-" * 3,
            "LECTERN_SIGNING_KEY_SECRET": "only-for-the-tests-" * 3,
            "LECTERN_PUBLIC_URL": "http://127.0.0.1:8000",
            "LECTERN_JWKS_URL": "http://127.0.0.1:9/.well-known/jwks.json",
            "LECTERN_MEDIA_ROOT": str(self.folder / "media"),
            "LECTERN_UPLOADS_ROOT": str(self.folder / "uploads"),
            "LECTERN_BOOKS_ROOT": str(self.folder / "books"),
            "LECTERN_ATTACHMENTS_ROOT": str(self.folder / "attachments"),
        }

    def run(self, role: str, *command: str) -> str:
        """Runs a service's own command in its folder; answers what it printed."""
        folder = {"core": "core-api", "stream": "stream-gateway", "chat": "chat-gateway"}[role]
        done = subprocess.run(
            [sys.executable, *command],
            cwd=SERVICES / folder,
            env=self.environment(role),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{folder}: {' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout


MIGRATE = {
    "core": ("manage.py", "migrate"),
    "stream": ("-m", "stream_gateway.migrate"),
    "chat": ("manage.py", "migrate"),
}


@pytest.fixture(scope="session")
def lectern(tmp_path_factory: pytest.TempPathFactory) -> Lectern:
    superuser_url = os.environ.get("LECTERN_TEST_POSTGRES")
    if not superuser_url:
        pytest.exit("LECTERN_TEST_POSTGRES is not set: run `make test-contract`.", returncode=4)
    name = f"contract_{uuid.uuid4().hex[:8]}"
    make_database(superuser_url, os.environ["LECTERN_TEST_PSQL"], name, PASSWORDS)
    migrated = Lectern(superuser_url, name, tmp_path_factory.mktemp("files"))
    for role in ("chat", "stream", "core"):  # the gateways first: a reader copes with a view that is not there yet
        migrated.run(role, *MIGRATE[role])
    return migrated


@pytest.fixture(scope="module", params=VERIFIERS)
def verifier(request: pytest.FixtureRequest) -> ModuleType:
    """Each gateway's own verifier of access tokens."""
    spec = importlib.util.spec_from_file_location(
        f"verifier_of_{request.param.replace('-', '_')}", VERIFIERS[request.param]
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
