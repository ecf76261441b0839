"""core-api as an installation runs it (gunicorn with its own settings), and clients who buy."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection

from bench.ledger import FIRST_NEW_COURSE, SERVICE, Server, session_id
from deploy.embedded.postgres import free_port
from deploy.embedded.waiting import looks


@dataclass
class Shop:
    pid: int
    port: int
    tokens: list[str]
    bought: int = 0

    def buy(self, connection: HTTPConnection, number: int) -> dict[str, object]:
        """The purchase with that number, which is made once. Raises RuntimeError if it is refused."""
        course, person = divmod(number, len(self.tokens))
        headers = {"Authorization": f"Bearer {self.tokens[person]}", "Content-Type": "application/json"}
        body = json.dumps({"course": f"course-{FIRST_NEW_COURSE + course}"})
        connection.request("POST", "/api/v1/orders/", body, headers | {"Idempotency-Key": f"bench-{number}"})
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != 201:
            raise RuntimeError(f"{answer.status}: {told.decode()}")
        placed: dict[str, object] = json.loads(told)
        return placed

    def rate(self, clients: int, seconds: float) -> float:
        """Purchases a second of so many clients, each with a connection that it keeps."""
        numbers = iter(range(self.bought, sys.maxsize))
        taking, done, faults = threading.Lock(), [0] * clients, []
        until = time.monotonic() + seconds

        def client(place: int) -> None:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                while time.monotonic() < until:
                    with taking:
                        self.bought = next(numbers) + 1
                        number = self.bought - 1
                    self.buy(connection, number)
                    done[place] += 1
            except Exception as fault:  # told by the thread that waits
                faults.append(fault)
            finally:
                connection.close()

        threads = [threading.Thread(target=client, args=[place]) for place in range(clients)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if faults:
            raise faults[0]
        return sum(done) / (time.monotonic() - began)


def tokens(people: int) -> list[str]:
    """Access tokens of the first so many people."""
    from accounts.models import LoginSession
    from accounts.tokens import AccessToken

    wanted = [session_id(n) for n in range(people)]
    sessions = LoginSession.objects.filter(pk__in=wanted).order_by("pk").select_related("user")
    return [str(AccessToken.of(session.user, session)) for session in sessions.prefetch_related("user__groups")]


@contextmanager
def shop(server: Server, database: str, tokens: list[str]) -> Iterator[Shop]:
    port = free_port()
    environment = server.environment(database) | {"LECTERN_HOST": "127.0.0.1", "LECTERN_PORT_INTERNAL": str(port)}
    command = [sys.executable, "-m", "gunicorn", "config.wsgi:application", "-c", "config/gunicorn.py"]
    log = (server.postgres.home.parent / f"gunicorn-{database}.log").open("wb")
    process = subprocess.Popen(command, cwd=SERVICE, env=environment, stdout=log, stderr=log)
    try:
        _wait_until_it_answers(process, port)
        yield Shop(process.pid, port, tokens)
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, seconds: float = 30) -> None:
    for _ in looks(seconds):
        if process.poll() is not None:
            break
        connection = HTTPConnection("127.0.0.1", port, timeout=3)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            return
        except OSError:
            continue
        finally:
            connection.close()
    raise RuntimeError("gunicorn did not start")
