"""What Lectern consists of on one machine: the programs, and the environment that each is given."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from deploy.embedded import account, nginx
from deploy.embedded.databases import ROLES, database_url, make_database, note_release, read_release
from deploy.embedded.postgres import Postgres
from deploy.embedded.redis import Redis, find_program
from deploy.embedded.state import REPOSITORY, State, write_privately
from deploy.embedded.supervisor import Program

SERVICES = REPOSITORY / "services"
DATABASE = "lectern"
PORTS = ("postgres", "redis", "core-api", "stream-gateway", "chat-gateway")
OBJECT_STORAGE = ("MEDIA_STORAGE", "S3_ENDPOINT_URL", "S3_BUCKET", "S3_CA_BUNDLE")
PASSED_ON = (
    "CLAMAV_ADDRESS",
    "EMAIL_URL",
    "SUPPORT_EMAIL",
    "LECTERN_ACCOUNT_URL",
    "LECTERN_APPROVAL_LIMIT",
    "LECTERN_ALLOWED_ORIGINS",
    "LECTERN_CHAT_IDLE_DAYS",
    "LECTERN_CHAT_MAIL_AFTER",
    "LECTERN_LOG_LEVEL",
    "LECTERN_LOGIN_FAILURES_PER_ADDRESS",
    "LECTERN_REGISTRATIONS_PER_HOUR",
    "LECTERN_STAFF_TOTP",
    "LECTERN_STREAM_LIMIT",
    "LECTERN_PLAYBACK_AUDIT_DAYS",
    "LECTERN_STRIPE_SECRET_KEY",
    "LECTERN_STRIPE_WEBHOOK_SECRET",
    "LECTERN_UPLOAD_EXPIRY",
    "LECTERN_UPLOAD_KEEP",
    "LECTERN_UPLOAD_QUOTA",
    "LECTERN_FFMPEG",
    *OBJECT_STORAGE,
    "S3_REGION",
    "S3_ACCESS_KEY_ID",
    "S3_SECRET_ACCESS_KEY",
)
OURS = (
    "LECTERN_",
    "DJANGO_",
    "DATABASE_URL",
    "REDIS_URL",
    "MIGRATION_DATABASE_URL",
    "DELIVERY",
    "CLAMAV_",
    "EMAIL_URL",
    "SUPPORT_EMAIL",
    "PYTHON",
)

# A configured proxy has no business on 127.0.0.1.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class System:
    """The programs by stage: `databases`, then `migrations`, then `services`, then `front` (nginx)."""

    def __init__(self, state: State, port: int) -> None:
        self.state = state
        self.port = port
        self.public_url = f"http://127.0.0.1:{port}"
        self.ports = state.ports(PORTS)
        self.postgres = Postgres(state.postgres, port=self.ports["postgres"])
        self.redis = self._redis()

    def databases(self) -> list[Program]:
        self.postgres.prepare()
        programs = [
            Program(
                "postgres",
                self.postgres.command(),
                cwd=self.postgres.home,
                environment=_inherited(),
                stage=0,
                ready=self.postgres.ready,
                stop_signal=signal.SIGINT,  # fast shutdown: clients are disconnected, nothing committed is lost
                options=account.server_user(),
            )
        ]
        if self.redis:
            command = self.redis.command()
            programs.append(Program("redis", command, self.state.home, _inherited(), stage=0, ready=self.redis.ready))
        return programs

    def make_roles(self) -> None:
        passwords = {role: self.state.secret(f"password-{role}") for role in ROLES}
        make_database(self.postgres.url(), str(self.postgres.bin / "psql"), DATABASE, passwords)

    def is_migrated(self) -> bool:
        return read_release(self.postgres.url(), DATABASE) == self.release()

    def note_migrated(self) -> None:
        note_release(self.postgres.url(), DATABASE, self.release())

    def release(self) -> str:
        """A fingerprint of everything that migrations are made from: the services' code and the packages they use."""
        digest = hashlib.sha256()
        for folder, folders, files in os.walk(SERVICES):
            folders[:] = sorted(set(folders) - {"tests", "static"} - {name for name in folders if name.startswith(".")})
            for name in sorted(name for name in files if name.endswith((".py", ".sql", "requirements.txt"))):
                file = Path(folder) / name
                digest.update(f"{file.relative_to(SERVICES)} {file.stat().st_size}\n".encode() + file.read_bytes())
        return digest.hexdigest()

    def migrations(self) -> list[Program]:
        return [
            self._task("migrate-core", "core-api", "manage.py", "migrate", "--noinput", owner=True),
            self._task("migrate-stream", "stream-gateway", "-m", "stream_gateway.migrate", owner=True),
            self._task("migrate-chat", "chat-gateway", "manage.py", "migrate", "--noinput", owner=True),
        ]

    def static_files(self) -> Program:
        return self._task("collectstatic", "core-api", "manage.py", "collectstatic", "--noinput", "--clear")

    def services(self) -> list[Program]:
        gunicorn = ("-m", "gunicorn", "config.wsgi:application", "-c", "config/gunicorn.py")
        return [
            self._service("core-api", "core-api", *gunicorn, ready=self._answers("core-api")),
            self._service("worker", "core-api", "manage.py", "worker"),
            self._service("packager", "core-api", "manage.py", "packager"),
            self._service(
                "stream-gateway", "stream-gateway", "-m", "stream_gateway", ready=self._answers("stream-gateway")
            ),
            self._service("chat-gateway", "chat-gateway", "-m", "realtime.serve", ready=self._answers("chat-gateway")),
        ]

    def front(self) -> Program:
        site = Path(f"{self.state.static}-site")
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(nginx.SOURCE / "static-site", site)
        places = {
            "LECTERN_LISTEN": f"127.0.0.1:{self.port}",
            "LECTERN_MEDIA_ROOT": str(self.state.media),
            "LECTERN_ATTACHMENTS_ROOT": str(self.state.attachments),
            "LECTERN_STATIC_ROOT": str(self.state.static),
            "LECTERN_RESOLVER": "127.0.0.1",  # never asked: the upstreams are addresses
            "LECTERN_PUBLIC_URL": self.public_url,
            **{
                name: os.environ.get(name, "")
                for name in ("LECTERN_TRUSTED_PROXIES", "LECTERN_ALLOWED_ORIGINS", *OBJECT_STORAGE)
            },
        }
        for name, short in {"core-api": "CORE", "stream-gateway": "STREAM", "chat-gateway": "CHAT"}.items():
            places[f"LECTERN_{short}_UPSTREAM"] = f"127.0.0.1:{self.ports[name]}"
        nginx.render(self.state.nginx, places)
        command = nginx.command(nginx.find_program())
        ready = answers(f"{self.public_url}/healthz")
        return Program("nginx", command, self.state.nginx, _inherited(), stage=2, ready=ready)

    def load_demo(self) -> Program:
        arguments = ("manage.py", "load_demo", "--accounts-file", str(self.state.accounts), "--wait")
        program = self._task("load-demo", "core-api", *arguments)
        quiet = {**program.environment, "LECTERN_LOG_LEVEL": "warning"}  # its progress is enough
        return replace(program, environment=quiet)

    def _service(self, name: str, service: str, *arguments: str, ready: Callable[[], bool] = lambda: True) -> Program:
        return Program(name, [sys.executable, *arguments], SERVICES / service, self._environment(service), ready=ready)

    def _task(self, name: str, service: str, *arguments: str, owner: bool = False) -> Program:
        """A command that ends by itself; `owner`: as the database role that may change the schema."""
        environment = self._environment(service, owner)
        return Program(name, [sys.executable, *arguments], SERVICES / service, environment, ends=True)

    def _answers(self, service: str) -> Callable[[], bool]:
        return answers(f"http://127.0.0.1:{self.ports[service]}/readyz")

    def _environment(self, service: str, owner: bool = False) -> dict[str, str]:
        """As deploy/contracts.md lists it. The owner role's address is given to migrations alone."""
        role = service.partition("-")[0]
        environment = _inherited() | {
            "DATABASE_URL": self._database(role),
            "REDIS_URL": self.redis.url if self.redis else "",
            "LECTERN_PUBLIC_URL": self.public_url,
            "LECTERN_TRUSTED_PROXIES": "127.0.0.1/32",
            "LECTERN_INTERNAL_HOSTS": "127.0.0.1,localhost",
            "LECTERN_HOST": "127.0.0.1",
            "LECTERN_PORT_INTERNAL": str(self.ports[service]),
            "PYTHONUNBUFFERED": "1",
        }
        environment |= {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}
        if owner:
            environment["MIGRATION_DATABASE_URL"] = self._database(f"{role}_owner")
        if service != "stream-gateway":
            environment |= {"DJANGO_SECRET_KEY": self.state.secret(f"django-{role}"), "DJANGO_DEBUG": "0"}
        if service == "chat-gateway":
            environment["LECTERN_ATTACHMENTS_ROOT"] = str(self.state.attachments)
        else:
            environment |= {
                "LECTERN_MEDIA_ROOT": str(self.state.media),
                "LECTERN_UPLOADS_ROOT": str(self.state.uploads),
            }
        if service != "core-api":
            environment["LECTERN_JWKS_URL"] = f"http://127.0.0.1:{self.ports['core-api']}/.well-known/jwks.json"
            return environment
        return environment | {
            "LECTERN_SIGNING_KEY_SECRET": self.state.secret("signing-key"),
            "LECTERN_SANDBOX_PAYMENTS": "1",
            "LECTERN_SANDBOX_SECRET": self.state.secret("sandbox"),
            "LECTERN_STATIC_ROOT": str(self.state.static),
            "LECTERN_BOOKS_ROOT": str(self.state.books),
        }

    def _database(self, role: str) -> str:
        return database_url(self.postgres_address, DATABASE, role, self.state.secret(f"password-{role}"))

    @property
    def postgres_address(self) -> str:
        return f"postgresql://127.0.0.1:{self.ports['postgres']}/{DATABASE}"

    def _redis(self) -> Redis | None:
        program = find_program()
        if not program:
            return None
        password = self.state.secret("redis")
        file = self.state.home / "redis.conf"
        write_privately(file, f"requirepass {password}\n")
        return Redis(program, self.ports["redis"], password, file)


def _inherited() -> dict[str, str]:
    """The terminal's environment without anything that is Lectern's: a developer's DATABASE_URL must not reach the demo."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    direct = ",".join(
        filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1", "localhost"])
    )
    return kept | {"TZ": "UTC", "NO_PROXY": direct, "no_proxy": direct}


def answers(url: str) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            with _direct.open(url, timeout=3) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    return ready
