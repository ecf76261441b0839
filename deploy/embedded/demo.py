"""`make demo`: all of Lectern on this machine, with demo courses, until Ctrl-C.

    python -m deploy.embedded.demo run | start | stop | restart chat-gateway | reset

`start` does the same in the background and returns when it is ready; `restart`
starts one of its processes anew, with the code as it is now; `reset` deletes what is kept.
LECTERN_PORT chooses the port (8000), LECTERN_STATE the folder that everything is kept in (.lectern).
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.embedded import background, leftovers
from deploy.embedded.state import REPOSITORY, AlreadyRunning, State
from deploy.embedded.supervisor import Failed, StopRequested, Supervisor
from deploy.embedded.system import SERVICES, System

ITSELF = (sys.executable, "-m", "deploy.embedded.demo")


def main(arguments: list[str], system: type[System] = System, itself: Sequence[str] = ITSELF) -> int:
    state = State.from_environment()
    state.prepare()
    match arguments:
        case ["run"]:
            return run(state, system)
        case ["start"]:
            return background.start(state, [*itself, "run"])
        case ["stop"]:
            return background.stop(state)
        case ["restart", name]:
            return background.restart(state, name)
        case ["reset"]:
            return background.reset(state)
        case _:
            print(__doc__, file=sys.stderr)
            return 2


def run(state: State, system: type[System] = System) -> int:
    """Runs until it is asked to stop (status 0) or something fails (status 1)."""
    try:
        with state.held():
            return _run(state, system)
    except AlreadyRunning:
        print(background.where(state))
        return 1
    except Failed as error:
        print(f"\nlectern: {error}\nlectern: everything has been stopped.", file=sys.stderr)
        return 1


def _run(state: State, make_system: type[System]) -> int:
    supervisor = Supervisor(state)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, supervisor.request_stop)
    leftovers.end_all(state)
    port = public_port()
    began = time.monotonic()
    me = leftovers.note("manager", os.getpid()) | {"url": f"http://127.0.0.1:{port}"}
    state.write_note("manager", me)
    try:
        system = make_system(state, port)
        bring_up(system, supervisor)
        print(summary(system, time.monotonic() - began), flush=True)
        state.write_note("manager", me | {"ready": True})
        supervisor.watch()
    except StopRequested:
        print("\nlectern: stopping", flush=True)
    finally:
        supervisor.stop()
        state.forget_note("manager")
    print("lectern: stopped; everything is kept for the next time.", flush=True)
    return 0


def bring_up(system: System, supervisor: Supervisor) -> None:
    """Everything from nothing to ready, each phase with its time."""
    state = system.state
    print(f"Lectern is starting. State: {state.home}   Logs: {state.logs}", flush=True)
    with phase("PostgreSQL and Redis" if system.redis else "PostgreSQL"):
        supervisor.start_and_wait(system.databases())
        system.make_roles()
    if not system.redis:
        print("  There is no Redis here: chat runs as one process on its in-memory layer.")
    if not system.is_migrated():  # three commands that take seconds to find nothing to do
        with phase("migrations"):
            supervisor.run(system.migrations())
            system.note_migrated()
    if state.read_note("static") != (inputs := static_inputs()):
        with phase("static files"):
            supervisor.run([system.static_files()])
            state.write_note("static", inputs)
    content = system.load_demo()
    supervisor.start(content)  # beside the services: it needs the packager, and none of their answers
    with phase("services"):
        supervisor.start_and_wait([*system.services(), system.front()])
    with phase("demo content"), Progress(state.logs / f"{content.name}.log") as progress:
        supervisor.wait_until_ended([content], progress.show)


@contextmanager
def phase(name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"  {name:<22}{time.monotonic() - began:6.1f} s", flush=True)


class Progress:
    """Shows the newest line of a log: over the one before at a terminal, else now and then."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.shown = ""
        self.next_time = 0.0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.shown and sys.stdout.isatty():
            print("\r\033[K", end="", flush=True)

    def show(self) -> None:
        if time.monotonic() < self.next_time or not self.log.exists():
            return
        *_, line = ["", *self.log.read_text(errors="replace").splitlines()]
        if line == self.shown:
            return
        at_terminal = sys.stdout.isatty()
        print(f"\r\033[K  {line[:76]}" if at_terminal else f"  {line}", end="" if at_terminal else "\n", flush=True)
        self.shown = line
        self.next_time = time.monotonic() + (0.3 if at_terminal else 5)


def public_port() -> int:
    text = os.environ.get("LECTERN_PORT") or "8000"
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise SystemExit(f"lectern: LECTERN_PORT is {text!r}: it should be a port, such as 9000.")
    port = int(text)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection that has just closed is no obstacle
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = "needs more rights" if isinstance(error, PermissionError) else "is taken by another program"
            raise SystemExit(f"lectern: port {port} {why}. Choose another one: LECTERN_PORT=9000 make demo") from error
    return port


def static_inputs() -> dict[str, str]:
    """Changes when the files that collectstatic would collect may have changed."""
    core = SERVICES / "core-api"
    digest = hashlib.sha256((core / "requirements.txt").read_bytes())
    for file in sorted([*core.glob("**/static/**/*"), core / "config" / "settings.py"]):
        status = file.stat()
        digest.update(f"{file.relative_to(core)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return {"inputs": digest.hexdigest(), "checkout": str(REPOSITORY)}


def summary(system: System, seconds: float) -> str:
    url = system.public_url
    accounts = json.loads(system.state.accounts.read_text())["accounts"]
    people = [f"    {name:<11}{who['username']:<16}{who['password']}" for name, who in accounts.items()]
    return "\n".join(
        [
            f"\nLectern is ready after {seconds:.0f} s: {url}\n",
            f"  API        {url}/api/schema/swagger-ui/   (reference: {url}/api/schema/redoc/)",
            f"  Admin      {url}/admin/",
            "  Accounts   username        password\n",
            *people,
            f"\n  The accounts are kept in {system.state.accounts}",
            "  What next: the five curl lines in README.md walk from logging in to watching a lesson.",
            "  Stop with Ctrl-C, or `make demo-stop` from another terminal; the next start keeps everything.",
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
