"""The environment that the suite runs in, whatever the machine's own says. Imported before any setting is read.

With LECTERN_TEST_POSTGRES (see deploy/embedded/testbed.py) each session, and each xdist worker, gets a database of its
own there, migrated as the owner and used as the runtime role; without it, an SQLite file.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

SERVICE = Path(__file__).resolve().parents[1]
REPOSITORY = SERVICE.parents[1]
for folder in (SERVICE, REPOSITORY):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))

SUPERUSER_URL = os.environ.get("LECTERN_TEST_POSTGRES", "")
PSQL = os.environ.get("LECTERN_TEST_PSQL", "psql")
ON_POSTGRES = bool(SUPERUSER_URL)
DATABASE = f"core_test_{secrets.token_hex(6)}"

from deploy.embedded.throwaway import throwaway  # noqa: E402  found by the path above

FOLDER = throwaway("lectern-core-test-")
OURS = ("LECTERN_", "DJANGO_", "MIGRATION_", "MEDIA_", "S3_")  # how the names of settings begin
PASSWORDS = dict.fromkeys(("core_owner", "core", "stream_owner", "stream", "chat_owner", "chat"), "made-up-for-tests")


def database_address(role: str | None = None, database: str = DATABASE) -> str:
    """The URL of a test database as `role` (core, core_owner, stream …), or as the superuser."""
    if not ON_POSTGRES:
        return f"sqlite:///{FOLDER / database}.sqlite3"
    from deploy.embedded.databases import database_url

    return database_url(SUPERUSER_URL, database, role, PASSWORDS.get(role or ""))


def prepare() -> None:
    for name in list(os.environ):
        if name.startswith(OURS) and not name.startswith("LECTERN_TEST_"):
            del os.environ[name]
    os.environ.update(
        DJANGO_SETTINGS_MODULE="config.settings",
        DJANGO_SECRET_KEY="a made-up secret that only the tests have " * 2,
        DJANGO_DEBUG="0",
        LECTERN_SIGNING_KEY_SECRET="another made-up secret that only the tests have",
        LECTERN_PUBLIC_URL="http://127.0.0.1:8000",
        LECTERN_SANDBOX_PAYMENTS="1",
        LECTERN_SANDBOX_SECRET="a made-up secret of the sandbox, for the tests",
        LECTERN_MEDIA_ROOT=str(FOLDER / "media"),
        LECTERN_UPLOADS_ROOT=str(FOLDER / "uploads"),
        LECTERN_BOOKS_ROOT=str(FOLDER / "books"),
        LECTERN_LOG_LEVEL="warning",
        DATABASE_URL=database_address("core"),
        MIGRATION_DATABASE_URL=database_address("core_owner"),
        REDIS_URL="",
        EMAIL_URL="",
        SUPPORT_EMAIL="",
    )
    for folder in ("media", "uploads"):
        (FOLDER / folder).mkdir(exist_ok=True)
