"""`make demo-start` and `make demo-stop`: the same manager without a terminal."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from deploy.embedded import leftovers
from deploy.embedded.state import REPOSITORY, State
from deploy.embedded.waiting import looks

LONGEST_START = 600  # seconds
LONGEST_STOP = 60


def where(state: State) -> str:
    note = state.read_note("manager")
    ready = "running" if note.get("ready") else "starting"
    return (
        f"Lectern is {ready} already: {note.get('url', '')} (stop it with `make demo-stop`, or Ctrl-C in its terminal)"
    )


def start(state: State, command: Sequence[str]) -> int:
    """Returns 0 as soon as it is ready, also where it was running before; 1 if it could not start."""
    if state.is_held():
        print(where(state))
        return 0
    log = state.fresh_log("manager")
    with log.open("wb") as output:
        manager = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # neither this terminal's Ctrl-C nor its closing reaches it
        )
    try:
        return _follow(state, manager, log)
    except KeyboardInterrupt:
        manager.send_signal(signal.SIGTERM)
        manager.wait()
        return 130


def stop(state: State) -> int:
    """Stops a manager, wherever it was started, and waits until it has; ends what a killed one left."""
    was_running, asked = state.is_held(), False
    for _ in looks(LONGEST_STOP):
        if not state.is_held():
            break
        manager = _manager(state)
        if manager and not asked:
            with contextlib.suppress(psutil.NoSuchProcess):
                manager.send_signal(signal.SIGTERM)
            asked = True
    else:
        print(f"lectern: it has not stopped within {LONGEST_STOP} s: see {state.logs}", file=sys.stderr)
        return 1
    with state.held():
        leftovers.end_all(state)
    print("Lectern has stopped; everything is kept for the next time." if was_running else "Lectern is not running.")
    return 0


def restart(state: State, name: str) -> int:
    """Stops one of the demo's processes and starts it anew, code and all; 0 once it is ready."""
    running = [each["name"] for each in state.read_note("processes").get("processes", [])]
    if not state.is_held() or name not in running:
        print(f"There is no such process. There are: {', '.join(running) or 'none, Lectern is not running'}")
        return 1
    state.write_note("restart", {"name": name})
    if any(not state.read_note("restart") for _ in looks(LONGEST_START)):
        return 0
    print(f"{name} is not ready yet: {state.logs / name}.log")
    return 1


def reset(state: State) -> int:
    """Deletes everything that a demo keeps; the caller has stopped it."""
    with state.held():
        for path in state.kept():
            if path.is_dir():
                shutil.rmtree(path.resolve())  # root's PostgreSQL may lie elsewhere, behind a link
            if path.is_symlink() or path.is_file():
                path.unlink()
    print(f"The demo's data in {state.home} is deleted.")
    return 0


def _manager(state: State) -> psutil.Process | None:
    note = state.read_note("manager")
    found = leftovers.find([note] if note else [], mark="")
    return found[0] if found else None


def _follow(state: State, manager: subprocess.Popen[bytes], log: Path) -> int:
    """Shows what the manager prints until it is ready or has ended."""
    with log.open() as reader:
        for _ in looks(LONGEST_START):
            ended = manager.poll() is not None
            ready = state.read_note("manager").get("ready") and state.read_note("manager").get("pid") == manager.pid
            sys.stdout.write(reader.read())
            sys.stdout.flush()
            if ended or ready:
                return 0 if ready else 1
    print(f"lectern: not ready after {LONGEST_START} s: see {state.logs}", file=sys.stderr)
    manager.send_signal(signal.SIGTERM)
    return 1
