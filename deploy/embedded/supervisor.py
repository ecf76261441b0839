"""Starts processes, waits until they are ready, notices when one ends, stops them in order.

Our own and not honcho's Manager: that one sends all processes the same signal at once and kills after 5 s, while PostgreSQL must
outlive the services and needs SIGINT; and it knows neither readiness nor notes for a later run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from deploy.embedded import leftovers
from deploy.embedded.state import State
from deploy.embedded.waiting import looks

PATIENCE = 15  # seconds that a process has to end by itself


class Failed(Exception):
    """A process ended that should not have, or did not become ready. The text is for the person at the terminal."""


class StopRequested(Exception):
    """Ctrl-C, or `make demo-stop`."""


@dataclass(frozen=True)
class Program:
    """One process to run. `stage` orders stopping, last one first; `ready` says whether it can be used; `ends`, that it may end."""

    name: str
    command: Sequence[str]
    cwd: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stage: int = 1
    ready: Callable[[], bool] = lambda: True
    ends: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    options: Mapping[str, Any] = field(default_factory=dict)


class Supervisor:
    def __init__(self, state: State) -> None:
        self.state = state
        self.running: dict[str, tuple[Program, subprocess.Popen[bytes]]] = {}
        self._stop_requested = False

    def request_stop(self, *_signal_and_frame: object) -> None:
        """A signal handler: only remembers, so that nothing is ever half-started."""
        self._stop_requested = True

    def start(self, program: Program) -> subprocess.Popen[bytes]:
        """Starts it, writing to its log, in a session of its own: Ctrl-C is the manager's to handle."""
        with self.state.fresh_log(program.name).open("ab") as log:
            process = subprocess.Popen(
                program.command,
                cwd=program.cwd,
                env={**program.environment, leftovers.MARK: self.state.mark},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **program.options,
            )
        self.running[program.name] = (program, process)
        self._write_notes()
        return process

    def start_and_wait(self, programs: Sequence[Program], seconds: float = 60) -> None:
        """Starts all of them at once and returns when all are ready."""
        for program in programs:
            self.start(program)
        waiting = list(programs)

        def all_ready() -> bool:
            waiting[:] = [program for program in waiting if not program.ready()]
            return not waiting

        try:
            self._wait_for(all_ready, seconds)
        except TimeoutError as error:
            slow = waiting[0].name
            raise Failed(
                f"{slow} is not ready after {seconds:.0f} s. The end of its log:\n{self.tail(slow)}"
            ) from error

    def run(self, programs: Sequence[Program], seconds: float = 900) -> None:
        """Runs programs that end by themselves, side by side."""
        for program in programs:
            self.start(program)
        self.wait_until_ended(programs, seconds=seconds)

    def wait_until_ended(
        self, programs: Sequence[Program], meanwhile: Callable[[], None] = lambda: None, seconds: float = 900
    ) -> None:
        """Returns when each has ended with status 0; raises `Failed` with the log's end if one does not."""
        names = [program.name for program in programs]

        def all_ended() -> bool:
            meanwhile()
            return all(self.running[name][1].poll() == 0 for name in names)

        try:
            self._wait_for(all_ended, seconds)
        except TimeoutError as error:
            slow = next(name for name in names if self.running[name][1].poll() is None)
            raise Failed(
                f"{slow} has not ended after {seconds:.0f} s. The end of its log:\n{self.tail(slow)}"
            ) from error
        for name in names:
            del self.running[name]
        self._write_notes()

    def watch(self) -> None:
        """Starts anew what `demo restart` names. Returns only by raising: `StopRequested`, or `Failed` when a process has ended."""
        self._wait_for(self._restart_what_is_named, float("inf"))

    def _restart_what_is_named(self) -> bool:
        if entry := self.running.get(self.state.read_note("restart").get("name", "")):
            self._stop_stage([entry])
            self.start_and_wait([entry[0]])
        self.state.forget_note("restart")
        return False

    def stop(self) -> None:
        """Ends everything, last stage first."""
        for stage in sorted({program.stage for program, _ in self.running.values()}, reverse=True):
            self._stop_stage([entry for entry in self.running.values() if entry[0].stage == stage])
        self.running.clear()
        self._write_notes()

    def _stop_stage(self, entries: Sequence[tuple[Program, subprocess.Popen[bytes]]]) -> None:
        families = [child for _, process in entries for child in _children(process.pid)]
        for program, process in entries:
            if process.poll() is None:
                process.send_signal(program.stop_signal)
        deadline = time.monotonic() + PATIENCE
        for _, process in entries:
            try:
                process.wait(timeout=max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        leftovers.end([child for child in families if child.is_running()], patience=2)

    def _wait_for(self, condition: Callable[[], bool], seconds: float) -> None:
        for _ in looks(seconds):
            if condition():
                return
            if self._stop_requested:
                raise StopRequested
            self._check()
        raise TimeoutError

    def _check(self) -> None:
        for name, (program, process) in self.running.items():
            status = process.poll()
            if status is not None and not (status == 0 and program.ends):
                how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
                raise Failed(f"{name} {how}. The end of its log:\n{self.tail(name)}")

    def tail(self, name: str, lines: int = 20) -> str:
        log = self.state.logs / f"{name}.log"
        if not log.exists():
            return ""
        with log.open("rb") as reader:
            reader.seek(max(0, os.fstat(reader.fileno()).st_size - 64 * 1024))
            end = reader.read().decode(errors="replace").splitlines()[-lines:]
        return "\n".join([*(f"    {line}" for line in end), f"  ({log})"])

    def _write_notes(self) -> None:
        alive = [(name, process) for name, (_, process) in self.running.items() if process.poll() is None]
        notes = []
        for name, process in alive:
            try:
                notes.append(leftovers.note(name, process.pid))
            except psutil.NoSuchProcess:
                continue  # it has ended since; whoever waits for it will notice
        self.state.write_note("processes", {"processes": notes})


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
