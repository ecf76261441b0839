"""nginx with the real templates, in a folder with a space in its name, before three stand-in services."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent), str(ROOT / "tests"), str(ROOT / "services" / "stream-gateway")]

from bucket import CONTENT, MP4, SEGMENT, Store  # noqa: E402  needs the path above
from s3_server import s3_server  # noqa: E402  needs the path above
from stand_ins import Service  # noqa: E402  needs the path above

from deploy.embedded import nginx  # noqa: E402  needs the path above
from deploy.embedded.postgres import free_port  # noqa: E402  needs the path above
from deploy.embedded.waiting import looks  # noqa: E402  needs the path above


class Front:
    """A running nginx. `changes` are replaced in the templates first, where waiting for the real value would take too long."""

    def __init__(self, home: Path, variables: dict[str, str], changes: dict[str, str] | None = None) -> None:
        self.home, self.port = home, free_port()
        self.media, self.static, self.attachments = home / "media", home / "static", home / "attachments"
        for folder in (self.media, self.static, self.attachments):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(nginx.SOURCE / "static-site", home / "static-site", dirs_exist_ok=True)
        fixed = {
            "LECTERN_LISTEN": f"127.0.0.1:{self.port}",
            "LECTERN_MEDIA_ROOT": str(self.media),
            "LECTERN_STATIC_ROOT": str(self.static),
            "LECTERN_ATTACHMENTS_ROOT": str(self.attachments),
            "LECTERN_RESOLVER": "127.0.0.1",
            "LECTERN_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "LECTERN_TRUSTED_PROXIES": "",
            "LECTERN_ALLOWED_ORIGINS": "",
        }
        nginx.render(home, fixed | variables)
        for old, new in (changes or {}).items():
            self._replace(old, new)
        self._out, self._err = home / "access.log", home / "error.log"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(nginx.command(nginx.find_program()), cwd=home, stdout=out, stderr=err)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=20)
        self._wait_until_ready()

    def _replace(self, old: str, new: str) -> None:
        files = [file for file in (self.home / "conf.d").rglob("*.conf") if old in file.read_text()]
        assert files, f"no template says {old!r}"
        for file in files:
            file.write_text(file.read_text().replace(old, new))

    def _wait_until_ready(self) -> None:
        for _ in looks(10):
            with contextlib.suppress(httpx.TransportError):
                self.client.get("/healthz")
                return
            assert self.process.poll() is None, self._err.read_text()
        raise AssertionError("nginx does not answer")

    def raw(self, data: bytes, hang_up: bool = False) -> bytes:
        """Sends bytes as they are and returns all that comes until nginx hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(data)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
            received = b""
            while piece := connection.recv(65536):
                received += piece
        return received

    def get_as_is(self, target: str) -> tuple[int, bytes]:
        """GET with exactly this target (clients tidy paths up). Returns status and body."""
        answer = self.raw(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body

    def log_lines(self, at_least: int = 1) -> list[dict[str, object]]:
        for _ in looks(5):
            lines = [json.loads(line) for line in self._out.read_text().splitlines()]
            if len(lines) >= at_least:
                break
        return lines

    def log_line_of(self, request_id: str) -> dict[str, object]:
        """The line is written after the answer has been sent."""
        for _ in looks(5):
            if found := [line for line in self.log_lines() if line["request_id"] == request_id]:
                return found[0]
        raise AssertionError(f"no line of {request_id}")

    def all_logs(self) -> str:
        return self._out.read_text() + self._err.read_text()

    def stop(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(timeout=10)


@pytest.fixture(scope="session")
def core() -> Iterator[Service]:
    service = Service()
    yield service
    service.stop()


@pytest.fixture(scope="session")
def stream() -> Iterator[Service]:
    service = Service()
    yield service
    service.stop()


@pytest.fixture(scope="session")
def chat() -> Iterator[Service]:
    service = Service()
    yield service
    service.stop()


@pytest.fixture(scope="session")
def make_front(
    tmp_path_factory: pytest.TempPathFactory, core: Service, stream: Service, chat: Service
) -> Iterator[Callable[..., Front]]:
    started: list[Front] = []

    def make(changes: dict[str, str] | None = None, **variables: str) -> Front:
        upstreams = {
            "LECTERN_CORE_UPSTREAM": f"127.0.0.1:{core.port}",
            "LECTERN_STREAM_UPSTREAM": f"127.0.0.1:{stream.port}",
            "LECTERN_CHAT_UPSTREAM": f"127.0.0.1:{chat.port}",
        }
        started.append(Front(tmp_path_factory.mktemp("with a space"), upstreams | variables, changes))
        return started[-1]

    yield make
    for front in started:
        front.stop()


@pytest.fixture(scope="session")
def shared_front(make_front: Callable[..., Front]) -> Front:
    return make_front()


@pytest.fixture
def front(shared_front: Front, core: Service, stream: Service, chat: Service) -> Front:
    """The shared nginx, with services that have forgotten the test before."""
    for service in (core, stream, chat):
        service.forget()
    return shared_front


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    with s3_server() as endpoint:
        store = Store(endpoint)
        for key in (SEGMENT, MP4):
            store.put(key, CONTENT)
        yield store
