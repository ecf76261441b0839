"""A wrong setting stops the start within a second, by its name."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests import environment


def start(*command: str, tmp_path: Path | None = None, **changes: str | None) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in (os.environ | changes).items() if value is not None}
    return subprocess.run(
        [sys.executable, *(command or ("manage.py", "check"))],
        cwd=tmp_path or environment.SERVICE,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("DATABASE_URL", None, "DATABASE_URL is missing: it should be a PostgreSQL URL, postgres://user:password@"),
        ("DATABASE_URL", "elephants", "DATABASE_URL is not a database URL: it should be a PostgreSQL URL"),
        (
            "DATABASE_URL",
            "mysql://core:pw@host/lectern",
            "DATABASE_URL is not a database URL: it should be a PostgreSQL",
        ),
        ("REDIS_URL", "redis", "REDIS_URL is not a Redis URL: it should be a Redis URL, redis://:password@host:6379/0"),
        ("REDIS_URL", "redis://host:many/0", "REDIS_URL is not a Redis URL"),
        ("SUPPORT_EMAIL", "support", "SUPPORT_EMAIL is 'support': it should be the address that mail comes from, su"),
        ("SUPPORT_EMAIL", "a@example.org\nBcc: b@example.org", "SUPPORT_EMAIL is 'a@example.org\\nBcc: b@example.org'"),
        ("DJANGO_SECRET_KEY", None, "DJANGO_SECRET_KEY is missing: it should be a long random text"),
        ("DJANGO_SECRET_KEY", "short", "DJANGO_SECRET_KEY is too short: it should be at least 32 characters"),
        ("DJANGO_DEBUG", "maybe", "DJANGO_DEBUG is 'maybe': it should be 1 or 0"),
        ("LECTERN_SIGNING_KEY_SECRET", None, "LECTERN_SIGNING_KEY_SECRET is missing"),
        ("LECTERN_PUBLIC_URL", None, "LECTERN_PUBLIC_URL is missing: it should be the address people use"),
        ("LECTERN_PUBLIC_URL", "courses.example.org", "LECTERN_PUBLIC_URL is 'courses.example.org': it should be"),
        ("LECTERN_PUBLIC_URL", "https://example.org/path", "LECTERN_PUBLIC_URL is 'https://example.org/path'"),
        ("LECTERN_PUBLIC_URL", "http://[", "LECTERN_PUBLIC_URL is 'http://['"),
        (
            "LECTERN_PUBLIC_URL",
            "https://example.org",
            "LECTERN_SANDBOX_PAYMENTS is 1 while LECTERN_PUBLIC_URL is https",
        ),
        ("LECTERN_TRUSTED_PROXIES", "nginx", "LECTERN_TRUSTED_PROXIES holds 'nginx': it should be a comma-separated"),
        (
            "LECTERN_ALLOWED_ORIGINS",
            "*",
            "LECTERN_ALLOWED_ORIGINS holds '*': it should be a comma-separated list of or",
        ),
        ("LECTERN_ALLOWED_ORIGINS", "https://app.example.org/x", "LECTERN_ALLOWED_ORIGINS holds 'https://app.exam"),
        (
            "LECTERN_ACCOUNT_URL",
            "app.example.org/account",
            "LECTERN_ACCOUNT_URL is 'app.example.org/account': it should",
        ),
        ("LECTERN_LOG_LEVEL", "loud", "LECTERN_LOG_LEVEL is 'loud': it should be one of debug, info, warning"),
        ("LECTERN_MEDIA_ROOT", None, "LECTERN_MEDIA_ROOT is missing: it should be the folder of packaged videos"),
        ("MEDIA_STORAGE", "ftp", "MEDIA_STORAGE is 'ftp': it should be one of local, s3"),
        ("MEDIA_STORAGE", "s3", "S3_ENDPOINT_URL is missing: it should be the store's address"),
        ("LECTERN_SANDBOX_SECRET", None, "LECTERN_SANDBOX_SECRET is missing"),
        ("LECTERN_STRIPE_SECRET_KEY", "sk_test_1", "LECTERN_STRIPE_WEBHOOK_SECRET is missing: it should be set togeth"),
        ("LECTERN_STRIPE_WEBHOOK_SECRET", "whsec_1", "LECTERN_STRIPE_SECRET_KEY is missing: it should be set together"),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str | None, complaint: str
) -> None:
    monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(environment.SERVICE / "config" / "settings.py"))  # what every way of starting does first
    assert stopped.value.code == 78
    said = capsys.readouterr().err
    assert said.startswith(f"lectern: {complaint}")
    assert said.count("\n") == 1


def test_every_way_of_starting_exits_with_78() -> None:
    gunicorn = ("-m", "gunicorn", "config.wsgi:application", "-c", "config/gunicorn.py")
    for command in (("manage.py", "migrate"), ("manage.py", "worker"), gunicorn):
        done = start(*command, DJANGO_SECRET_KEY=None, LECTERN_PORT_INTERNAL="0")
        assert (command, done.returncode) == (command, 78)
        assert "lectern: DJANGO_SECRET_KEY is missing" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("port", ["eighty", "70000"])
def test_a_wrong_port_is_named(port: str) -> None:
    done = start("-m", "gunicorn", "config.wsgi:application", "-c", "config/gunicorn.py", LECTERN_PORT_INTERNAL=port)
    assert (done.returncode, done.stderr.count("\n")) == (78, 1)
    assert done.stderr.startswith("lectern: LECTERN_PORT_INTERNAL is malformed: it should be the port to listen on")


def test_a_secret_may_be_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret that lies in a file, with a line end\n")
    code = "from config import settings; print(settings.SECRET_KEY)"
    done = start("-c", code, DJANGO_SECRET_KEY=None, DJANGO_SECRET_KEY_FILE=str(secret))
    assert done.stdout == "a secret that lies in a file, with a line end\n"
    done = start("-c", code, DJANGO_SECRET_KEY=None, DJANGO_SECRET_KEY_FILE=str(tmp_path / "missing"))
    assert done.returncode == 78
    assert done.stderr.startswith("lectern: DJANGO_SECRET_KEY_FILE cannot be read")


@pytest.mark.parametrize("command", ["worker", "packager"])
def test_there_are_no_workers_on_sqlite(tmp_path: Path, command: str) -> None:
    done = start("manage.py", command, DATABASE_URL=f"sqlite:///{tmp_path}/db.sqlite3")
    assert done.returncode == 1
    assert done.stderr.strip().endswith("jobs run in place there. Set DATABASE_URL to a PostgreSQL.")
    assert "Traceback" not in done.stderr
