"""Ends what a manager that was killed left running: its own processes, and no others.

A process is its own if its id and its time of creation are those noted when it was started, or if it carries this state's
mark in its environment (a grandchild, or one started in the instant before it was noted).
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterable
from typing import Any

import psutil

from deploy.embedded.state import State

MARK = "LECTERN_STATE_ID"
SAME_INSTANT = 0.05  # seconds; a process id comes round again far later


def note(name: str, pid: int) -> dict[str, Any]:
    """What is written down about a process that was just started."""
    return {"name": name, "pid": pid, "created": psutil.Process(pid).create_time()}


def end_all(state: State) -> None:
    """For whoever holds the state's lock: what still runs of it has lost its manager."""
    found = find(state.read_note("processes").get("processes", []), state.mark)
    if found:
        print(f"lectern: the last run was killed; ending {len(found)} processes that it left", flush=True)
        end(found)


def find(notes: Iterable[dict[str, Any]], mark: str) -> list[psutil.Process]:
    created = {entry["pid"]: entry["created"] for entry in notes}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if abs(process.create_time() - created.get(process.pid, 0)) < SAME_INSTANT or carries(process, mark):
                found.append(process)
    return found


def carries(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK) == mark
    except (psutil.Error, OSError):
        return False


def end(processes: list[psutil.Process], patience: float = 10) -> None:
    """Services first; then PostgreSQL, whose fast shutdown (SIGINT) loses nothing that was committed."""
    servers = [process for process in processes if _is_postgres(process)]
    others = [process for process in processes if process not in servers]
    _signal(others, signal.SIGTERM)
    _, stubborn = psutil.wait_procs(others, timeout=patience)
    _signal(stubborn, signal.SIGKILL)
    _signal(servers, signal.SIGINT)
    _, stubborn = psutil.wait_procs([*servers, *stubborn], timeout=3 * patience)
    _signal(stubborn, signal.SIGKILL)
    psutil.wait_procs(stubborn, timeout=patience)


def _is_postgres(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.name() == "postgres"
    return False


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
