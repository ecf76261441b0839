"""Configuration and migration: what an operator meets first."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import httpx
import psycopg
import pytest

from tests.conftest import POSTGRES, SERVICE, manage, url
from tests.server import ChatServer, wait_for
from tests.world import KEYS


def start(*command: str, **changed: str | None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in (os.environ | changed).items() if v is not None}
    command = command or ("-m", "realtime.serve")
    return subprocess.run([sys.executable, *command], cwd=SERVICE, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    "name",
    ["DATABASE_URL", "DJANGO_SECRET_KEY", "LECTERN_PUBLIC_URL", "LECTERN_JWKS_URL", "LECTERN_ATTACHMENTS_ROOT"],
)
def test_a_missing_variable_is_named_and_ends_the_start(name):
    done = start(**{name: None})
    assert done.returncode == 78
    assert done.stderr.startswith(f"lectern: {name} is missing: it should be ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_it_is_named_within_a_second():
    """Of its own time: how busy the machine is besides is no matter."""
    before = os.times()
    start(DATABASE_URL=None)
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "sqlite:///db.sqlite3"),
        ("DATABASE_URL", "secret-nonsense"),
        ("LECTERN_PUBLIC_URL", "learn.example"),
        ("LECTERN_JWKS_URL", "file:///etc/passwd"),
        ("LECTERN_JWKS_URL", "http://core-api:many/.well-known/jwks.json"),
        ("REDIS_URL", "http://secret"),
        ("REDIS_URL", "redis://:secret@redis:many/0"),
        ("LECTERN_TRUSTED_PROXIES", "everybody"),
        ("LECTERN_ALLOWED_ORIGINS", "*"),
        ("LECTERN_PORT_INTERNAL", "eighty"),
        ("LECTERN_LOG_LEVEL", "loud"),
        ("LECTERN_ERASURE_SWEEP", "now and then"),
        ("LECTERN_ATTACHMENTS_ROOT", "attachments"),
        ("CLAMAV_ADDRESS", "clamav"),
        ("CLAMAV_ADDRESS", "clamav:many"),
    ],
)
def test_a_malformed_variable_is_named_and_not_shown(name, value):
    done = start("-c", "import config.settings", **{name: value})
    assert done.returncode == 78
    assert done.stderr.startswith(f"lectern: {name} is malformed: it should be ")
    assert "secret" not in done.stderr


def test_a_secret_may_be_a_file(tmp_path):
    (tmp_path / "url").write_text(url("chat") + "\n")
    show = ("-c", "import config.settings; print(config.settings.DATABASE_URL)")
    assert start(*show, DATABASE_URL=None, DATABASE_URL_FILE=str(tmp_path / "url")).stdout == url("chat") + "\n"
    done = start(*show, DATABASE_URL_FILE=str(tmp_path / "nowhere"))
    assert (done.returncode, done.stderr[:40]) == (78, "lectern: DATABASE_URL_FILE cannot be rea")


def test_migrating_again_and_twice_at_once_keeps_the_views_for_every_reader():
    """Readers see the published views all the time, from before, while and after."""
    seen, done = [], threading.Event()

    def read() -> None:
        with psycopg.connect(url("core"), autocommit=True) as connection:
            while not done.is_set():
                seen.append(connection.execute("SELECT count(*) FROM chat_published.ticket").fetchone())
                connection.execute("SELECT * FROM chat_published.ticket_count LIMIT 1")

    reader = threading.Thread(target=read)
    reader.start()
    command = [sys.executable, "manage.py", "migrate", "-v0"]
    twice = [subprocess.Popen(command, cwd=SERVICE, env=os.environ) for _ in range(2)]
    codes = [process.wait(timeout=30) for process in twice]
    done.set()
    reader.join()
    assert codes == [0, 0]
    assert len(seen) > 10


def test_the_published_views_have_the_columns_of_the_contract(ticket):
    with psycopg.connect(url("core")) as connection:
        row = connection.execute("SELECT * FROM chat_published.ticket WHERE ticket_id = %s", [ticket["id"]])
        assert [column.name for column in row.description or ()] == [
            *["ticket_id", "number", "learner_id", "assignee_id", "category_id", "subject", "state"],
            *["created_at", "closed_at", "lesson_id", "order_id"],
        ]
        assert row.fetchone()
        count = connection.execute("SELECT category_id, state, tickets FROM chat_published.ticket_count").fetchone()
        assert count
        assert count[2] >= 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM chat.message")


def test_the_models_and_the_migrations_agree():
    assert manage("makemigrations", "--check", "--dry-run").returncode == 0


def test_a_failed_migration_leaves_the_views(world):
    """The whole of `migrate` is one transaction."""
    with psycopg.connect(POSTGRES, autocommit=True, dbname=url("chat").rpartition("/")[2]) as admin:
        admin.execute("ALTER TABLE chat.django_migrations RENAME TO kept")
        try:
            assert manage("migrate", "-v0").returncode != 0  # makes tables that are there already
            assert admin.execute("SELECT count(*) FROM chat_published.ticket").fetchone()
            assert not admin.execute("SELECT FROM pg_tables WHERE tablename = 'django_migrations'").fetchone()
        finally:
            admin.execute("ALTER TABLE chat.kept RENAME TO django_migrations")


def test_it_starts_before_the_database_and_the_keys_are_there(world):
    server = ChatServer(LECTERN_JWKS_URL=KEYS.url.replace("jwks", "none") + "x")
    server.environment["DATABASE_URL"] = "postgres://nobody:nothing@127.0.0.1:1/none"
    with server.log.open("ab") as log:
        command = [sys.executable, "-m", "realtime.serve"]
        server.process = subprocess.Popen(command, cwd=SERVICE, env=server.environment, stdout=log, stderr=log)
    address = wait_for(lambda: server._started(0))
    try:
        assert httpx.get(f"http://{address}/healthz").json() == {"status": "ok"}
        assert httpx.get(f"http://{address}/readyz").status_code == 503
        refused = httpx.get(f"http://{address}/chat/v1/tickets/", headers={"Authorization": "Bearer x"})
        assert refused.status_code in {401, 503}
    finally:
        server.stop()


def test_metrics(running_server):
    assert "lectern_chat_sockets" in httpx.get(f"{running_server.url}/metrics").text


def cors(answer):
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


def test_a_web_app_of_an_allowed_origin_may_read_answers_and_refusals(running_server, alice):
    address = f"{running_server.url}/chat/v1/categories/"
    app, bearer = {"Origin": "https://app.example"}, {"Authorization": f"Bearer {alice.token()}"}
    exposed = "Accept-Ranges, Content-Disposition, Content-Range, ETag, Retry-After, WWW-Authenticate, X-Request-ID"
    said = {"access-control-allow-origin": "https://app.example", "access-control-expose-headers": exposed}
    for answer in (httpx.get(address, headers=app | bearer), httpx.get(address, headers=app)):
        assert cors(answer) == said  # no credentials: a token is sent by the app itself
        assert "origin" in answer.headers["Vary"].lower()
    preflight = httpx.options(address, headers=app | {"Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 200
    allowed = preflight.headers["Access-Control-Allow-Headers"]
    assert allowed == "Authorization, Content-Type, Idempotency-Key, If-None-Match, If-Range, Range"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://app.example.evil", "http://app.example"])
def test_no_other_origin_may_read_anything(running_server, alice, origin):
    address, bearer = f"{running_server.url}/chat/v1/categories/", {"Authorization": f"Bearer {alice.token()}"}
    assert cors(httpx.get(address, headers=bearer | {"Origin": origin})) == {}
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    assert cors(httpx.options(address, headers=asked)) == {}
