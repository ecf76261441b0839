"""The real server, as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.embedded.redis import find_program
from deploy.embedded.waiting import looks

needs_redis = pytest.mark.skipif(find_program() is None, reason="no Redis here")

# Its sweep is out of reach: what a test sees happen there happens by an event.
BY_EVENTS_ALONE = "from realtime import runtime; runtime.SWEEP_EVERY = 3600"
SERVICE = Path(__file__).resolve().parents[1]


class ChatServer:
    """`first` is Python that the process runs before it serves: shorter waits, or a death at a certain point."""

    def __init__(self, first: str = "", **environment: str) -> None:
        self.first = first
        self.log = Path(tempfile.mkstemp(suffix=".log")[1])
        self.environment = os.environ | {"LECTERN_PORT_INTERNAL": "0"} | environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> ChatServer:
        with self.log.open("ab") as log:
            size = self.log.stat().st_size
            code = f"from realtime import serve\n{self.first}\nserve.main()"
            command = [sys.executable, "-W", "error::DeprecationWarning", "-c", code]
            self.process = subprocess.Popen(command, cwd=SERVICE, env=self.environment, stdout=log, stderr=log)
        self.address = wait_for(lambda: self._started(size), self._tail)
        wait_for(lambda: httpx.get(f"{self.url}/readyz").status_code == 200, self._tail)
        return self

    def _started(self, size: int) -> str | None:
        for line in self.log.read_text()[size:].splitlines():
            if '"event":"started"' in line:
                return str(json.loads(line)["address"])
        assert self.process
        assert self.process.poll() is None, self._tail()
        return None

    def _tail(self) -> str:
        return self.log.read_text()[-3000:]

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def stop(self, signal_number: int = 15) -> int:
        """Sends the signal (9: kill -9) and waits for the end; the exit status."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.process.wait(timeout=20)

    def chat(self, ticket: Any, query: str = "") -> str:
        return f"ws://{self.address}/ws/chat/{ticket}/{query}"


def wait_for(condition: Any, explain: Any = lambda: "", seconds: float = 60) -> Any:
    """The first true answer of `condition`; an AssertionError with `explain()` after `seconds`."""
    for _ in looks(seconds, pause=0.02):
        if answer := condition():
            return answer
    raise AssertionError(f"waited {seconds} s in vain {explain()}")
