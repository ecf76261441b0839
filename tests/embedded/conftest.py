"""A demo in a folder of its own, with a space in its name, on a port of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from deploy.embedded.leftovers import MARK  # noqa: E402  needs the path above
from deploy.embedded.postgres import free_port  # noqa: E402  needs the path above
from deploy.embedded.state import State  # noqa: E402  needs the path above
from deploy.embedded.waiting import looks  # noqa: E402  needs the path above

SMALL = [sys.executable, str(Path(__file__).with_name("small_demo.py"))]


class Demo:
    """Runs commands on one state and ends, at last, whatever of it still lives."""

    def __init__(self, home: Path) -> None:
        self.state = State(home)
        self.state.prepare()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.managers: list[subprocess.Popen[str]] = []

    def environment(self, **extra: str) -> dict[str, str]:
        return os.environ | {"LECTERN_STATE": str(self.state.home), "LECTERN_PORT": str(self.port)} | extra

    def call(self, verb: str, **extra: str) -> subprocess.CompletedProcess[str]:
        command = [*SMALL, verb]
        return subprocess.run(command, env=self.environment(**extra), capture_output=True, text=True, timeout=60)

    def start(self, **extra: str) -> None:
        done = self.call("start", **extra)
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, **extra: str) -> subprocess.Popen[str]:
        """In the foreground, as at a terminal."""
        pipe = subprocess.PIPE
        manager = subprocess.Popen([*SMALL, "run"], env=self.environment(**extra), stdout=pipe, stderr=pipe, text=True)
        self.managers.append(manager)
        return manager

    def wait_until_ready(self) -> int:
        """The manager's process id."""
        eventually(lambda: self.state.read_note("manager").get("ready"))
        return int(self.state.read_note("manager")["pid"])

    def processes(self) -> list[psutil.Process]:
        """Everything of this state that lives, found without the notes that are under test (servers hide their environment)."""
        home, mark = str(self.state.home), self.state.mark
        alive = []
        for process in psutil.process_iter():
            try:
                ours = (
                    process.cwd().startswith(home)
                    or process.environ().get(MARK) == mark
                    or home in " ".join(process.cmdline())
                )
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    alive.append(process)
            except (psutil.Error, OSError):
                continue
        return alive

    def database(self) -> str:
        """The superuser's URL of the running PostgreSQL."""
        password = (self.state.postgres / "superuser.password").read_text()
        return f"postgresql://postgres:{password}@127.0.0.1:{self.state.read_note('ports')['postgres']}/lectern"

    def clean_up(self) -> None:
        self.call("stop")
        for manager in self.managers:
            manager.kill()
            manager.communicate()
        for process in self.processes():
            process.kill()


def eventually(condition: Callable[[], object], seconds: float = 30) -> None:
    assert any(condition() for _ in looks(seconds)), "it did not happen in time"


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State(tmp_path / "a state")
    state.prepare()
    return state


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that the account of root's PostgreSQL may pass through, as it may not through pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="lectern test "))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def demo(open_folder: Path, request: pytest.FixtureRequest) -> Iterator[Demo]:
    """One state for a module's tests; each leaves it stopped."""
    demo = Demo(open_folder / request.module.__name__)
    yield demo
    demo.clean_up()


@pytest.fixture
def stopped(demo: Demo) -> Iterator[Demo]:
    yield demo
    demo.clean_up()
    assert demo.processes() == []
