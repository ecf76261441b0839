"""What a demo keeps between runs and while it runs: everything below `.lectern/` (or LECTERN_STATE), but the programs."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]


class AlreadyRunning(Exception):
    """Another manager holds this state."""


class State:
    """Folders, secrets, ports and the manager's notes. Everything that is secret is readable by its owner alone."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.logs = home / "logs"
        self.media = home / "media"
        self.uploads = home / "uploads"
        self.attachments = home / "attachments"
        self.books = home / "books"
        self.static = home / "static"
        self.nginx = home / "nginx"
        self.postgres = home / "postgres"
        self.accounts = home / "accounts.json"
        self._notes = home / "run"
        self._secrets = home / "secrets"

    @classmethod
    def from_environment(cls) -> State:
        return cls(Path(os.environ.get("LECTERN_STATE") or REPOSITORY / ".lectern").resolve())

    def prepare(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        data = (self.media, self.uploads, self.attachments, self.books)
        for folder in (self._notes, self._secrets, self.logs, *data, self.nginx):
            folder.mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds the state for one manager; the lock ends with its process, however that ends."""
        with (self._notes / "lock").open("w") as lock:
            for patience in (0.1, 0.3, 0):  # somebody who only looks (`is_held`) lets go at once
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if not patience:
                        raise AlreadyRunning from error
                    time.sleep(patience)
            yield

    def is_held(self) -> bool:
        with (self._notes / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @property
    def mark(self) -> str:
        """Tells this state's processes from all others; not a secret that protects anything."""
        return self.secret("mark")[:16]

    def kept(self) -> list[Path]:
        """What a demo leaves between runs, less the lock."""
        site = Path(f"{self.static}-site")
        notes = [note for note in self._notes.iterdir() if note.name != "lock"]
        folders = [
            self.logs,
            self.media,
            self.uploads,
            self.attachments,
            self.books,
            self.static,
            site,
            self.nginx,
            self.postgres,
            self._secrets,
        ]
        return [*folders, *notes, self.accounts, self.home / "redis.conf"]

    def secret(self, name: str) -> str:
        """A random text, made once."""
        file = self._secrets / name
        if not file.exists():
            write_privately(file, secrets.token_urlsafe(48))
        return file.read_text()

    def ports(self, names: Sequence[str]) -> dict[str, int]:
        """A free port of 127.0.0.1 for each name: the one it had before, if it is free still."""
        before = self.read_note("ports")
        with ExitStack() as all_at_once:  # held together, so that no two get the same
            chosen = {}
            for name in names:
                probe = all_at_once.enter_context(socket.socket())
                try:
                    probe.bind(("127.0.0.1", before.get(name, 0)))
                except OSError:
                    probe.bind(("127.0.0.1", 0))
                chosen[name] = probe.getsockname()[1]
        self.write_note("ports", chosen)
        return chosen

    def read_note(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self._notes / f"{name}.json").read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write_note(self, name: str, content: dict[str, Any]) -> None:
        write_privately(self._notes / f"{name}.json", json.dumps(content, indent=1))

    def forget_note(self, name: str) -> None:
        (self._notes / f"{name}.json").unlink(missing_ok=True)

    def fresh_log(self, name: str) -> Path:
        """The path of an empty log; the one of the run before becomes `<name>.log.1`."""
        log = self.logs / f"{name}.log"
        if log.exists():
            log.replace(self.logs / f"{name}.log.1")
        return log


def write_privately(file: Path, text: str) -> None:
    """All of it or none, readable by its owner alone."""
    unfinished = file.with_name(f"{file.name}.new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as writer:
        writer.write(text)
    unfinished.replace(file)
