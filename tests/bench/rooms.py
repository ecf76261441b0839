"""What the chat bench measures: the chat gateway with tickets to talk in, and beside it servers that store nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench.ledger import PASSWORDS
from bench.talkers import CHAT, PLAIN, SOCKET_IO, Dialect
from deploy.embedded.databases import database_url, make_database
from deploy.embedded.postgres import Postgres, free_port
from deploy.embedded.redis import Redis, find_program
from deploy.embedded.waiting import looks

CHAT_GATEWAY = Path(__file__).resolve().parents[2] / "services" / "chat-gateway"
BESIDE = Path(__file__).resolve().parent / "beside_chat"
sys.path.append(str(CHAT_GATEWAY / "tests"))
from world import KEYS, PUBLISHED, User, World, publish  # noqa: E402, F401  needs the path above

DATABASE = "bench_chat"
MOST_ROOMS = 500
# The product as it is, less the limit of five frames a second, which is what a bench would measure otherwise.
UNLIMITED = "from realtime import limits; limits.RATE = limits.BURST = 10**9; from realtime import serve; serve.main()"
UVICORN = ["--ws", "websockets-sansio", "--loop", "uvloop", "--no-access-log", "--log-level", "warning", "--port"]
Places = list[list[tuple[int, str]]]


@dataclass
class Running:
    """Servers of one kind. `pids` by what they do."""

    dialect: Dialect
    ports: list[int]
    pids: dict[str, list[int]]
    paths: Sequence[Sequence[str]]

    def places(self, rooms: int, sockets_each: int = 1) -> Places:
        """Where the two people of each room connect: to the first and to the last process."""
        ends = (self.ports[0], self.ports[-1])
        return [list(zip(ends, its, strict=True)) * sockets_each for its in self.paths[:rooms]]


class Site:
    """PostgreSQL (what is committed is on the disk), Redis, and 500 tickets of a learner and an agent each."""

    def __init__(self, folder: Path, ending: ExitStack) -> None:
        self.folder = folder
        folder.chmod(0o711)  # root's PostgreSQL runs as another account, which must be able to enter
        self.postgres = Postgres(folder / "postgres")
        ending.callback(self.postgres.stop)
        self.postgres.start()
        self.redis = Redis(find_program() or sys.exit("The chat bench needs a Redis."))
        ending.callback(self.redis.stop)
        self.redis.start()
        make_database(self.postgres.url(), str(self.postgres.bin / "psql"), DATABASE, PASSWORDS)
        publish(self.url("core_owner"))
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v0"], cwd=CHAT_GATEWAY, env=self.variables(), check=True
        )
        self.rooms = self._make_tickets()
        self._write_a_while()
        self.node = self._bring_node()

    def url(self, role: str) -> str:
        return database_url(self.postgres.url(), DATABASE, role, PASSWORDS[role])

    def variables(self) -> dict[str, str]:
        return os.environ | {
            "DATABASE_URL": self.url("chat"),
            "MIGRATION_DATABASE_URL": self.url("chat_owner"),
            "REDIS_URL": self.redis.url,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DJANGO_SECRET_KEY": "made-up",
            "LECTERN_PUBLIC_URL": "http://127.0.0.1",
            "LECTERN_JWKS_URL": KEYS.url,
            "LECTERN_ATTACHMENTS_ROOT": str(self.folder),
        }

    def _write_a_while(self) -> None:
        """So that there are files of the write-ahead log to be used again, as after a day. A server that is new makes each of
        them, 16 MB, while everybody waits: 60 to 100 ms here.
        """
        with psycopg.connect(self.postgres.url(), autocommit=True) as connection:
            for _ in range(6):
                connection.execute("SELECT pg_logical_emit_message(true, 'bench', 'no more than a word')")
                connection.execute("SELECT pg_switch_wal()")
            connection.execute("CHECKPOINT")

    def _make_tickets(self) -> list[list[str]]:
        """The sockets' addresses, two a room."""
        world = World(self.url("core_owner"))
        category, slug = world.category()
        rooms = []
        with psycopg.connect(self.url("chat_owner")) as connection:
            for number in range(MOST_ROOMS):
                learner, agent, ticket = world.user("learner"), world.agent("agent", category), uuid.uuid4()
                connection.execute(
                    "INSERT INTO chat.ticket (id, category_id, category_slug, learner_id, learner_username, subject,"
                    " head_seq, state, assignee_id, assignee_username) VALUES (%s, %s, %s, %s, %s, %s, 0, 'open', %s, %s)",
                    [ticket, category, slug, learner.id, learner.username, f"No. {number}", agent.id, agent.username],
                )
                connection.execute(
                    "INSERT INTO chat.agent_status VALUES (%s, 'online', now() + interval '1 day')", [agent.id]
                )
                rooms.append([address(ticket, learner), address(ticket, agent)])
        with psycopg.connect(self.url("chat_owner"), autocommit=True) as connection:
            connection.execute("ANALYZE")
        world.connection.close()
        return rooms

    def _bring_node(self) -> list[str] | None:
        """The command that runs the Socket.IO server; None where there is no Node."""
        node, npm = shutil.which("node"), shutil.which("npm")
        if not node or not npm:
            return None
        folder = self.folder / "node"
        shutil.copytree(BESIDE, folder)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        done = subprocess.run(command, cwd=folder, check=False, stdout=subprocess.DEVNULL)
        return None if done.returncode else [node, str(folder / "socketio.js")]


def address(ticket: uuid.UUID, user: User) -> str:
    return f"/ws/chat/{ticket}/?token={user.token(exp=4_000_000_000)}"


@contextmanager
def lectern(site: Site, processes: int) -> Iterator[Running]:
    command = [sys.executable, "-c", UNLIMITED]
    with _servers(site, command, processes, "LECTERN_PORT_INTERNAL", cwd=CHAT_GATEWAY) as (ports, pids):
        assert site.postgres.process is not None
        parts = {"the gateway": pids, "PostgreSQL": [site.postgres.process.pid]}
        yield Running(CHAT, ports, parts | _redis(site), site.rooms)


@contextmanager
def socket_io(site: Site, processes: int) -> Iterator[Running]:
    assert site.node
    with _servers(site, site.node, processes, "PORT") as (ports, pids):
        names = [f"/socket.io/?EIO=4&transport=websocket&room=r{number}" for number in range(MOST_ROOMS)]
        yield Running(SOCKET_IO, ports, {"the server": pids} | _redis(site), [(name, name) for name in names])


@contextmanager
def uvicorn(site: Site, processes: int, name: str) -> Iterator[Running]:
    """relay.py or tutorial.py."""
    command = [sys.executable, "-m", "uvicorn", f"{name}:app", "--app-dir", str(BESIDE), *UVICORN]
    with _servers(site, command, processes, None) as (ports, pids):
        names = [f"/ws/chat/r{number}/" for number in range(MOST_ROOMS)]
        yield Running(PLAIN, ports, {"the server": pids} | _redis(site), [(name, name) for name in names])


def _redis(site: Site) -> dict[str, list[int]]:
    assert site.redis.process is not None
    return {"Redis": [site.redis.process.pid]}


@contextmanager
def _servers(
    site: Site, command: Sequence[str], number: int, variable: str | None, **options: Any
) -> Iterator[tuple[list[int], list[int]]]:
    """Ports and process ids of so many; each gets its port in `variable`, or as its last argument."""
    with ExitStack() as ending:
        ports, pids = [], []
        for _ in range(number):
            port = free_port()
            environment = site.variables() | ({variable: str(port)} if variable else {})
            log = ending.enter_context((site.folder / f"server-{port}.log").open("wb"))
            its = [*command, *([] if variable else [str(port)])]
            process = subprocess.Popen(its, env=environment, stdout=log, stderr=log, **options)
            ending.callback(process.wait, 20)
            ending.callback(process.terminate)
            ports.append(port)
            pids.append(process.pid)
        for port in ports:
            _wait(site, port)
        yield ports, pids


def _wait(site: Site, port: int) -> None:
    import http.client

    for _ in looks(30):
        with suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
            connection.request("GET", "/readyz")
            if connection.getresponse().status < 503:
                return
    raise RuntimeError(f"nothing answers on {port}:\n{(site.folder / f'server-{port}.log').read_text()[-3000:]}")
