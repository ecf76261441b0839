"""A core-api of the test's own, as deploy starts it, and people who buy from it all the time, whatever happens to it."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accounts.models import User
from deploy.embedded.postgres import free_port
from deploy.embedded.waiting import looks
from tests import books, environment

TIMEOUT = 30  # seconds
PAUSE = 0.05  # seconds between two tries of a client

Next = Callable[[], "Sent"]


def wait_until(condition: Callable[[], bool], what: str, seconds: float = TIMEOUT) -> None:
    assert any(condition() for _ in looks(seconds, pause=0.01)), f"{what}: not within {seconds} s"


class Server:
    """Gunicorn with core-api on a free port, in a process group of its own. `start()` again after `signal(SIGKILL)`."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.port = free_port()
        self.log = folder / "gunicorn.log"
        self.variables = os.environ | {
            "DATABASE_URL": database_url,
            "LECTERN_PORT_INTERNAL": str(self.port),
            "PROMETHEUS_MULTIPROC_DIR": str(folder),  # who is killed tidies nothing up
        }

    def start(self) -> None:
        command = [sys.executable, "-m", "gunicorn", "config.wsgi:application", "-c", "config/gunicorn.py"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=environment.SERVICE, env=self.variables, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self._serves, "gunicorn")

    def signal(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)
        if number == signal.SIGKILL:
            self.process.wait(TIMEOUT)

    def _serves(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.send("GET", "/healthz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def send(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)) as connection:
            headers |= {"Content-Type": "application/json", "Connection": "close"}
            connection.request(method, path, json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()


@contextmanager
def running_server(database_url: str, folder: Path) -> Iterator[Server]:
    server = Server(database_url, folder)
    try:
        server.start()
        yield server
    finally:
        if server.process.poll() is None:
            server.signal(signal.SIGKILL)


@dataclass
class Sent:
    """One request, what it changes in whose wallet, and the answer to it in the end."""

    path: str
    body: dict[str, object]
    token: str
    wallet_of: User
    change: int  # credits
    key: str = field(default_factory=books.new_key)
    answer: tuple[int, Any] | None = None
    setbacks: list[str] = field(default_factory=list)  # "unavailable", "busy", or how the connection broke

    def repeat_until_answered(self, server: Server) -> None:
        """With the same key, as contracts.md tells clients to."""
        deadline = time.monotonic() + TIMEOUT
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": self.key}
        while self.answer is None:
            assert time.monotonic() < deadline, (self, server.log.read_text()[-2000:])
            try:
                status, text = server.send("POST", self.path, self.body, **headers)
            except (OSError, http.client.HTTPException) as error:
                self.setbacks.append(type(error).__name__)
            else:
                body = json.loads(text)
                if status != 503 and body.get("code") != "busy":
                    self.answer = status, body
                    return
                self.setbacks.append(body["code"])
            time.sleep(PAUSE)


class Load:
    """A thread for each of `sources`, which gives one request after the other."""

    def __init__(self, server: Server, sources: Sequence[Next]) -> None:
        self.server = server
        self.sources = sources
        self.sent: list[Sent] = []
        self.ending = threading.Event()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """In the end each client repeats what it has no answer to yet, and stops."""
        with ThreadPoolExecutor(len(self.sources)) as pool:
            clients = [pool.submit(self._keep_sending, source) for source in self.sources]
            try:
                yield
            finally:
                self.ending.set()
        for client in clients:
            client.result()

    def _keep_sending(self, source: Next) -> None:
        while not self.ending.is_set():
            request = source()
            self.sent.append(request)
            request.repeat_until_answered(self.server)

    def heard(self) -> int:
        """How many movements of credit clients were told of."""
        return sum(request.answer is not None for request in tuple(self.sent) if request.change)

    def setbacks(self) -> list[str]:
        return list(itertools.chain.from_iterable(request.setbacks for request in tuple(self.sent)))

    def wait_for_more(self, answers: int) -> None:
        already = self.heard()
        wait_until(lambda: self.heard() >= already + answers, f"{answers} more answers")
