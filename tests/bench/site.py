"""What the streaming bench asks: nginx with Lectern's templates and the gateway, and beside them what they are compared with."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
from contract.vectors import SigningKeys

from deploy.embedded import nginx
from deploy.embedded.databases import ROLES, database_url, make_database
from deploy.embedded.postgres import free_port
from deploy.embedded.waiting import looks

GATEWAY = Path(__file__).resolve().parents[2] / "services" / "stream-gateway"
sys.path += [str(GATEWAY), str(GATEWAY / "tests")]
from world import Lesson, Person, World  # noqa: E402  needs the path above

from stream_gateway.migrate import migrate  # noqa: E402  needs the path above

PASSWORDS = dict.fromkeys(ROLES, "made-up-for-benches")
SIZES = {"video-1080-00001.m4s": 2 << 20, "video-360-00001.m4s": 4 << 10}
# Beside Lectern: the files without any question (plain), an app that only answers X-Accel-Redirect (bare), nginx itself that does
# (least: what asking anybody costs), Django.
OTHERS = """
upstream least { server 127.0.0.1:%(least_app)d; keepalive 64; keepalive_requests 100000; }
server {
    listen 127.0.0.1:%(least_app)d;
    keepalive_requests 100000;
    access_log off;
    location / { add_header X-Accel-Redirect /_media$uri; types {} default_type video/iso.segment; return 200; }
}
server {
    listen 127.0.0.1:%(least)d;
    set $upgrade_to "";
    location / { set $connection_to ""; include conf.d/snippets/proxy.conf; limit_conn streams 500; proxy_pass http://least; }
    location /_media/ { internal; alias "%(media)s/"; }
}
upstream bare { server 127.0.0.1:%(bare_app)d; keepalive 64; keepalive_timeout 60s; keepalive_requests 100000; }
server {
    listen 127.0.0.1:%(plain)d;
    location / { alias "%(media)s/"; types { video/iso.segment m4s; } }
}
server {
    listen 127.0.0.1:%(bare)d;
    set $upgrade_to "";
    location / { set $connection_to ""; include conf.d/snippets/proxy.conf; limit_conn streams 500; proxy_pass http://bare; }
    location /_media/ { internal; alias "%(media)s/"; }
}
server {
    listen 127.0.0.1:%(django)d;
    set $upgrade_to "";
    location / { set $connection_to close; include conf.d/snippets/proxy.conf; proxy_pass http://127.0.0.1:%(django_app)d; }
}
"""
PORTS = ("ours", "gateway", "plain", "least", "least_app", "bare", "bare_app", "django", "django_app")
BARE = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    headers = [(b"x-accel-redirect", b"/_media" + scope["raw_path"])]
    headers += [(b"content-type", b"video/iso.segment"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
"""
DJANGO = """
import os
from pathlib import Path
from django.conf import settings
settings.configure(SECRET_KEY="bench", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"])
import django
django.setup()
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse
from django.urls import path
root = Path(os.environ["BENCH_MEDIA"])
urlpatterns = [path("<path:name>", lambda request, name: FileResponse((root / name).open("rb")))]
app = get_wsgi_application()
"""


@dataclass
class Site:
    """The running servers: ports by name, process ids by what they do."""

    ports: dict[str, int]
    nginx: int
    gateway: int
    apps: dict[str, int]
    world: World
    lesson: Lesson
    owner: psycopg.Connection[Any]

    def sessions(self, person: Person, number: int) -> list[tuple[str, str]]:
        """So many playbacks of `person`, as (id, cookie). Rows as the gateway writes them, all at once."""
        rows = self.owner.execute(
            """
            INSERT INTO stream.playback_session (id, user_id, lesson_id, package_id, kind, login_session, generation, cookie_hash,
                                                 client_address, user_agent, expires_at, over_at)
            SELECT gen_random_uuid(), %s, %s, %s, 'hls', %s, 0, sha256(convert_to('secret-' || n, 'UTF8')), '127.0.0.1', 'bench',
                   now() + interval '12 hours', now() + interval '9 hours' FROM generate_series(1, %s) n
            RETURNING id::text
            """,
            [person.id, self.lesson.id, self.lesson.package, person.login, number],
        )
        made = [(playback, f"secret-{n}") for n, (playback,) in enumerate(rows.fetchall(), 1)]
        self.owner.execute("ANALYZE stream.playback_session")
        return made


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    folder.chmod(0o755)
    with ExitStack() as ending:
        media = folder / "media"
        media.mkdir()
        keys = SigningKeys()
        world, owner, environment = _database(media, keys)
        lesson = world.lesson()
        for name, size in SIZES.items():
            (media / lesson.path / name).write_bytes(os.urandom(size))
        jwks = ending.enter_context(_jwks(keys))
        ports = {name: free_port() for name in PORTS}
        environment |= {"LECTERN_JWKS_URL": jwks, "LECTERN_PORT_INTERNAL": str(ports["gateway"])}
        environment |= {"LECTERN_PUBLIC_URL": f"http://127.0.0.1:{ports['ours']}", "LECTERN_MEDIA_ROOT": str(media)}
        environment["LECTERN_UPLOADS_ROOT"] = str(folder)
        (folder / "bare.py").write_text(BARE)
        (folder / "fileresponse.py").write_text(DJANGO)
        uvicorn = [
            "uvicorn",
            "bare:app",
            "--port",
            str(ports["bare_app"]),
            "--no-access-log",
            "--timeout-keep-alive",
            "75",
            "--app-dir",
            str(folder),
        ]
        gunicorn = ["gunicorn", "fileresponse:app", "-b", f"127.0.0.1:{ports['django_app']}", "--threads", "8"]

        def run(name: str, *command: str, cwd: Path = folder, **more: str) -> int:
            python = [sys.executable, "-m", *command]
            return ending.enter_context(_running(folder / f"{name}.log", python, cwd, os.environ | more))

        gateway = run("gateway", "stream_gateway", cwd=GATEWAY, **environment)
        bare = run("bare", *uvicorn)
        django = run("django", *gunicorn, "--chdir", str(folder), BENCH_MEDIA=str(media))
        front = ending.enter_context(_front(folder / "nginx", media, ports))
        for port, path in (
            (ports["gateway"], "/readyz"),
            (ports["bare_app"], "/x"),
            (ports["django_app"], "/x"),
            (ports["ours"], "/healthz"),
        ):
            _wait(port, path)
        yield Site(ports, front, gateway, {"bare": bare, "django": django}, world, lesson, owner)


def _database(media: Path, keys: SigningKeys) -> tuple[World, psycopg.Connection[Any], dict[str, str]]:
    server = os.environ["LECTERN_TEST_POSTGRES"]
    make_database(server, os.environ["LECTERN_TEST_PSQL"], "streaming", PASSWORDS)

    def url(role: str) -> str:
        return database_url(server, "streaming", role, PASSWORDS[role])

    with psycopg.connect(url("core_owner")) as core:
        core.execute((GATEWAY / "tests" / "published.sql").read_bytes())
        core.execute("CREATE INDEX ON core.lesson_access (user_id, lesson_id)")
        core.execute("CREATE INDEX ON core.ended_session (session_id)")
    migrate(url("stream_owner"))
    owner = psycopg.connect(url("stream_owner"), autocommit=True)
    return World(url("core_owner"), keys, media), owner, {"DATABASE_URL": url("stream")}


@contextmanager
def _jwks(keys: SigningKeys) -> Iterator[str]:
    class Core(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = keys.jwks().encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    core = ThreadingHTTPServer(("127.0.0.1", 0), Core)
    threading.Thread(target=core.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{core.server_address[1]}/"
    core.shutdown()
    core.server_close()


@contextmanager
def _front(home: Path, media: Path, ports: dict[str, int]) -> Iterator[int]:
    home.mkdir()
    (home / "static-site").mkdir()
    variables = dict.fromkeys(("LECTERN_CORE_UPSTREAM", "LECTERN_CHAT_UPSTREAM"), "127.0.0.1:9")
    variables |= {
        "LECTERN_STREAM_UPSTREAM": f"127.0.0.1:{ports['gateway']}",
        "LECTERN_LISTEN": f"127.0.0.1:{ports['ours']}",
    }
    variables |= {"LECTERN_MEDIA_ROOT": str(media), "LECTERN_STATIC_ROOT": str(home / "static")}
    variables |= {"LECTERN_ATTACHMENTS_ROOT": str(home / "attachments")}
    variables |= {"LECTERN_RESOLVER": "127.0.0.1", "LECTERN_PUBLIC_URL": f"http://127.0.0.1:{ports['ours']}"}
    variables |= {"LECTERN_TRUSTED_PROXIES": "", "LECTERN_ALLOWED_ORIGINS": ""}
    nginx.render(home, variables)
    (home / "conf.d" / "zz_bench.conf").write_text(OTHERS % (ports | {"media": media}))
    with _running(home / "nginx.log", nginx.command(nginx.find_program()), home, dict(os.environ)) as pid:
        yield pid


@contextmanager
def _running(log: Path, command: list[str], cwd: Path, environment: dict[str, str]) -> Iterator[int]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=out, stderr=out)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def _wait(port: int, path: str) -> None:
    import http.client

    for _ in looks(30):
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
            connection.request("GET", path)
            if connection.getresponse().status < 503:
                return
    raise RuntimeError(f"nothing answers on {port}")
