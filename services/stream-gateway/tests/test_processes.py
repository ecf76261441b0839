"""The two commands as an operator runs them: configuration mistakes, serving for real, raw requests, a clean stop."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import Databases
from contract.vectors import SigningKeys
from world import World

from deploy.embedded.waiting import looks

SERVICE = Path(__file__).resolve().parents[1]
GOOD = {
    "DATABASE_URL": "postgres://stream:secret@127.0.0.1:1/lectern",
    "LECTERN_PUBLIC_URL": "http://127.0.0.1:8000",
    "LECTERN_JWKS_URL": "http://127.0.0.1:1/.well-known/jwks.json",
    "LECTERN_MEDIA_ROOT": "/srv/media",
    "LECTERN_UPLOADS_ROOT": "/srv/uploads",
}


def environment(**changes: str | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if "LECTERN" not in name and "DATABASE" not in name}
    return kept | {name: value for name, value in {**GOOD, **changes}.items() if value is not None}


def run(command: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", command],
        cwd=SERVICE,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DATABASE_URL", None, "DATABASE_URL is missing: it should be a PostgreSQL URL, postgres://user:password@"),
        ("DATABASE_URL", "", "DATABASE_URL is missing"),
        ("DATABASE_URL", "mysql://stream:secret@host/db", "DATABASE_URL is malformed: it should be a PostgreSQL URL"),
        ("DATABASE_URL", "postgres://stream:secret@host", "DATABASE_URL is malformed"),
        ("DATABASE_URL", "postgres://stream:secret@host:many/db", "DATABASE_URL is malformed"),
        ("LECTERN_PUBLIC_URL", None, "LECTERN_PUBLIC_URL is missing"),
        ("LECTERN_PUBLIC_URL", "https://lectern.example:many", "LECTERN_PUBLIC_URL is malformed"),
        ("LECTERN_PUBLIC_URL", "lectern.example", "LECTERN_PUBLIC_URL is malformed"),
        ("LECTERN_PUBLIC_URL", "https://lectern.example/courses", "LECTERN_PUBLIC_URL is malformed"),
        ("LECTERN_JWKS_URL", None, "LECTERN_JWKS_URL is missing"),
        ("LECTERN_JWKS_URL", "file:///etc/passwd", "LECTERN_JWKS_URL is malformed"),
        ("LECTERN_MEDIA_ROOT", None, "LECTERN_MEDIA_ROOT is missing"),
        ("LECTERN_MEDIA_ROOT", "media", "LECTERN_MEDIA_ROOT is malformed: it should be the absolute path"),
        ("LECTERN_UPLOADS_ROOT", None, "LECTERN_UPLOADS_ROOT is missing"),
        ("LECTERN_UPLOAD_QUOTA", "much", "LECTERN_UPLOAD_QUOTA is malformed: it should be a number of GiB"),
        ("LECTERN_UPLOAD_EXPIRY", "0", "LECTERN_UPLOAD_EXPIRY is malformed: it should be a number of hours"),
        ("LECTERN_UPLOAD_KEEP", "-1", "LECTERN_UPLOAD_KEEP is malformed: it should be a number of days"),
        ("LECTERN_STREAM_LIMIT", "two", "LECTERN_STREAM_LIMIT is malformed: it should be a number from 1 to 100"),
        ("LECTERN_STREAM_LIMIT", "0", "LECTERN_STREAM_LIMIT is malformed"),
        ("DELIVERY", "nginx", 'DELIVERY is malformed: it should be "accel"'),
        ("LECTERN_LOG_LEVEL", "loud", "LECTERN_LOG_LEVEL is malformed"),
        ("LECTERN_ERASURE_SWEEP", "0", "LECTERN_ERASURE_SWEEP is malformed: it should be a number of seconds"),
        ("LECTERN_TRUSTED_PROXIES", "10.0.0.0/8, nginx", "LECTERN_TRUSTED_PROXIES is malformed"),
        ("LECTERN_ALLOWED_ORIGINS", "*", "LECTERN_ALLOWED_ORIGINS is malformed"),
        ("LECTERN_PORT_INTERNAL", "eight", "LECTERN_PORT_INTERNAL is malformed"),
        ("LECTERN_PLAYBACK_AUDIT_DAYS", "0", "LECTERN_PLAYBACK_AUDIT_DAYS is malformed: it should be a number of days"),
        ("MEDIA_STORAGE", "cloud", 'MEDIA_STORAGE is malformed: it should be "local"'),
        ("S3_BUCKET", "My Bucket", "S3_BUCKET is malformed"),
        ("S3_ENDPOINT_URL", "s3.example.org", "S3_ENDPOINT_URL is malformed: it should be the S3-compatible store"),
        (
            "S3_CA_BUNDLE",
            "/nowhere/ca.pem",
            "S3_CA_BUNDLE is malformed: it should be the path of a file with the authorities",
        ),
        ("DATABASE_URL_FILE", "/nowhere/secret", "DATABASE_URL and DATABASE_URL_FILE are both given"),
    ],
)
def test_a_mistake_is_told_by_its_variable(
    name: str, value: str | None, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from stream_gateway.__main__ import main

    for each in list(os.environ):
        monkeypatch.delenv(each)
    for each, good in environment(**{name: value}).items():
        monkeypatch.setenv(each, good)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 78
    said = capsys.readouterr().err
    assert said.startswith(f"lectern: {says}")
    assert said.count("\n") == 1
    assert "secret@" not in said


@pytest.mark.parametrize("command", ["stream_gateway", "stream_gateway.migrate"])
def test_it_stops_within_a_second_with_status_78(command: str) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run(command, DATABASE_URL=None)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 78
    assert done.stderr.count("\n") == 1
    assert "DATABASE_URL is missing" in done.stderr
    assert done.stdout == ""
    used = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    assert used < 1  # seconds of the processor: it waits for nothing, and the machine may be busy


def test_a_log_level_may_be_in_capitals_as_for_the_other_services(monkeypatch: pytest.MonkeyPatch) -> None:
    from stream_gateway.settings import Settings

    for each, good in environment(LECTERN_LOG_LEVEL="INFO").items():
        monkeypatch.setenv(each, good)
    assert Settings.read().log_level == "info"


def test_a_secret_in_a_file(tmp_path: Path, databases: Databases) -> None:
    secret = tmp_path / "url"
    secret.write_text(databases.url("stream_owner") + "\n")
    done = run("stream_gateway.migrate", DATABASE_URL=None, MIGRATION_DATABASE_URL_FILE=str(secret))
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing new" in done.stdout
    done = run("stream_gateway.migrate", DATABASE_URL=None, MIGRATION_DATABASE_URL_FILE=str(tmp_path / "none"))
    assert done.returncode == 78
    assert done.stderr.startswith("lectern: MIGRATION_DATABASE_URL_FILE cannot be read: ")


def test_a_database_that_is_away_ends_the_migration_in_one_line() -> None:
    done = run("stream_gateway.migrate")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "lectern: migrating postgres://stream@127.0.0.1:1/lectern failed, nothing was changed: "
    )
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


class Server:
    """The service as a process of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """The path goes out as it is, byte by byte."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            content = json.dumps(body).encode() if body is not None else b""
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                connection.putheader(name.replace("_", "-"), value)
            if content:
                connection.putheader("Content-Type", "application/json")
            connection.endheaders(content)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


@contextmanager
def serving(**changes: str) -> Iterator[tuple[Server, subprocess.Popen[str]]]:
    from deploy.embedded.postgres import free_port

    server = Server(int(changes.pop("LECTERN_PORT_INTERNAL", 0)) or free_port())
    process = subprocess.Popen(
        [sys.executable, "-m", "stream_gateway"],
        cwd=SERVICE,
        env=environment(LECTERN_PORT_INTERNAL=str(server.port), **changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        for _ in looks(60):
            with contextlib.suppress(OSError):
                if server.ask("GET", "/readyz")[0] == 200:
                    break
            assert process.poll() is None, "it ended"
        else:
            raise AssertionError("it did not become ready")
        yield server, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=15)
        if process.stdout:
            process.stdout.close()


@pytest.fixture(scope="module")
def jwks(keys: SigningKeys) -> Iterator[str]:
    class Core(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = keys.jwks().encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    core = ThreadingHTTPServer(("127.0.0.1", 0), Core)
    threading.Thread(target=core.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{core.server_address[1]}/.well-known/jwks.json"
    core.shutdown()
    core.server_close()


RAW_NAMES = [
    "package.json",
    "../package.json",
    "..%2fpackage.json",
    "%2e%2e/%2e%2e/secret",
    "%2e%2e%2f%2e%2e%2fsecret",
    "./poster.jpg",
    "poster.jpg%00",
    "poster.jpg%00.jpg",
    "poster.jpg%25",
    "poster.jpg%3fx",
    "poster.jpg%23x",
    "poster+.jpg",
    "poster%20.jpg",
    "poster.jpg%20",
    "poster%2541.jpg",
    "%252e%252e/secret",
    "",
]


def test_serving_for_real(databases: Databases, keys: SigningKeys, jwks: str, world: World, media_root: Path) -> None:
    alice, lesson = world.person("alice"), world.lesson()
    world.enrol(alice, lesson)
    with serving(DATABASE_URL=databases.url("stream"), LECTERN_JWKS_URL=jwks, LECTERN_MEDIA_ROOT=str(media_root)) as (
        server,
        process,
    ):
        status, headers, body = server.ask("POST", "/stream/v1/playback", {"lesson": str(lesson.id)}, **alice.bearer)
        assert status == 201, body
        assert "server" not in headers
        started, cookie = json.loads(body), headers["set-cookie"].partition(";")[0]
        base = f"/stream/v1/p/{started['playback']}"
        status, headers, body = server.ask("GET", f"{base}/poster.jpg", Cookie=cookie)
        assert (status, headers["x-accel-redirect"]) == (200, f"/_media/{lesson.path}/poster.jpg")
        assert server.ask("HEAD", f"{base}/master.m3u8", Cookie=cookie)[::2] == (200, b"")
        assert (
            headers["x-accel-redirect"]
            == server.ask("GET", f"{base}/p%6fster.jpg", Cookie=cookie)[1]["x-accel-redirect"]
        )
        for name in RAW_NAMES:
            status, headers, body = server.ask("GET", f"{base}/{name}", Cookie=cookie)
            assert (status, json.loads(body)["code"]) in ((404, "not_found"), (405, "method_not_allowed")), name
            assert "x-accel-redirect" not in headers
        process.send_signal(signal.SIGTERM)
        said = process.stdout.read() if process.stdout else ""
        assert process.wait(timeout=15) in (0, -signal.SIGTERM)
    lines = [json.loads(line) for line in said.splitlines()]  # JSON, every one of them, uvicorn's too
    assert any(line["event"] == "request" and line["path"] == "/stream/v1/playback" for line in lines)
    assert cookie.partition("=")[2] not in said
    assert "eyJ" not in said


def test_several_workers_share_their_figures_and_leave_nothing(
    databases: Databases, jwks: str, media_root: Path, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": databases.url("stream"), "LECTERN_JWKS_URL": jwks, "LECTERN_WORKERS": "2"}
    with serving(LECTERN_MEDIA_ROOT=str(media_root), TMPDIR=str(tmp_path), **settings) as (server, process):
        for _ in range(10):
            server.ask("GET", "/stream/v1/nothing")
        text = server.ask("GET", "/metrics")[2].decode()
        assert list(tmp_path.glob("lectern-stream-metrics-*"))
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
    assert not list(tmp_path.glob("lectern-stream-metrics-*"))
    assert 'lectern_stream_requests_total{method="GET",route="none",status="404"} 10.0' in text
