"""The runner's parts: what it keeps, what it ends, how it waits."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from conftest import eventually

from deploy.embedded import background, leftovers
from deploy.embedded.postgres import Postgres, copy_programs, programs
from deploy.embedded.state import AlreadyRunning, State
from deploy.embedded.supervisor import Failed, Program, StopRequested, Supervisor

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def supervisor(state: State) -> Iterator[Supervisor]:
    supervisor = Supervisor(state)
    yield supervisor
    supervisor.stop()


def program(name: str, code: str, **more: object) -> Program:
    return Program(name, [sys.executable, "-c", code], Path.cwd(), dict(os.environ), **more)  # type: ignore[arg-type]  passed on


# --- State -----------------------------------------------------------------------------------------------------------


def test_a_secret_is_made_once_and_closed_to_others(state: State) -> None:
    assert state.secret("a") == state.secret("a") != state.secret("b")
    assert len(state.secret("a")) >= 48
    assert (state.home / "secrets" / "a").stat().st_mode & 0o777 == 0o600


def test_ports_are_kept_unless_somebody_took_one(state: State) -> None:
    first = state.ports(["a", "b", "c"])
    assert len(set(first.values())) == 3
    assert state.ports(["a", "b", "c"]) == first
    with socket.create_server(("127.0.0.1", first["b"])):
        second = state.ports(["a", "b", "c"])
    assert second["b"] != first["b"]
    assert (second["a"], second["c"]) == (first["a"], first["c"])


def test_one_manager_holds_the_state(state: State) -> None:
    with state.held():
        assert state.is_held()
        with pytest.raises(AlreadyRunning), State(state.home).held():
            pytest.fail("two managers hold one state")
    assert not state.is_held()


def test_a_note_that_was_cut_off_counts_as_none(state: State) -> None:
    state.write_note("processes", {"processes": []})
    (state.home / "run" / "processes.json").write_text('{"processes": [{"pid"')
    assert state.read_note("processes") == {}


def test_a_reset_deletes_what_is_kept_also_behind_a_link(state: State, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    state.postgres.symlink_to(elsewhere)
    state.secret("a")
    for file in (elsewhere / "data", state.media / "video.mp4", state.accounts):
        file.write_text("kept")
    other = state.home / "venv"
    other.mkdir()
    assert background.reset(state) == 0
    assert not elsewhere.exists()
    assert sorted(path.name for path in state.home.iterdir()) == ["run", "venv"]


# --- Leftovers -------------------------------------------------------------------------------------------------------


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(SLEEP)
    yield process
    process.kill()
    process.wait()


def test_a_process_is_known_by_its_id_and_its_birth(sleeper: subprocess.Popen[bytes]) -> None:
    note = leftovers.note("sleeper", sleeper.pid)
    assert [process.pid for process in leftovers.find([note], "no-mark")] == [sleeper.pid]
    born_earlier = note | {"created": note["created"] - 5}
    assert leftovers.find([born_earlier], "no-mark") == []


def test_an_unnoted_grandchild_is_known_by_its_mark() -> None:
    code = f"import subprocess, sys; subprocess.Popen({SLEEP!r}).wait()"
    with subprocess.Popen([sys.executable, "-c", code], env=os.environ | {leftovers.MARK: "mark-of-this-test"}):
        eventually(lambda: len(leftovers.find([], "mark-of-this-test")) == 2)
        found = leftovers.find([], "mark-of-this-test")
        leftovers.end(found)
    assert not [process for process in found if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_what_does_not_listen_to_sigterm_is_killed() -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.read(1)
        leftovers.end([psutil.Process(process.pid)], patience=0.2)
        assert not psutil.pid_exists(process.pid)


# --- Supervisor ------------------------------------------------------------------------------------------------------


def test_it_waits_until_each_is_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    flag = tmp_path / "ready"
    code = f"import pathlib, time; time.sleep(0.3); pathlib.Path({str(flag)!r}).touch(); time.sleep(60)"
    supervisor.start_and_wait([program("slow", code, ready=flag.exists)])
    assert flag.exists()


def test_what_never_gets_ready_is_named_with_its_log(supervisor: Supervisor) -> None:
    never = program(
        "never", "print('still waiting for a friend', flush=True); import time; time.sleep(60)", ready=lambda: False
    )
    with pytest.raises(Failed, match=r"never is not ready after 1 s[^$]*still waiting for a friend"):
        supervisor.start_and_wait([never], seconds=1)


def test_one_that_ends_is_noticed_even_with_status_0(supervisor: Supervisor) -> None:
    supervisor.start(program("stays", "import time; time.sleep(60)"))
    supervisor.start(program("leaves", "print('bye')"))
    with pytest.raises(Failed, match="leaves ended with status 0"):
        supervisor.watch()


def test_one_that_is_killed_is_noticed(supervisor: Supervisor) -> None:
    process = supervisor.start(program("victim", "import time; time.sleep(60)"))
    process.kill()
    with pytest.raises(Failed, match="victim was ended by signal 9"):
        supervisor.watch()


def test_programs_run_side_by_side_and_a_failure_shows_the_end_of_its_log(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    meet = (
        "from pathlib import Path; import sys, time\nopen('{0}', 'w')\nwhile not Path('{1}').exists(): time.sleep(0.01)"
    )
    here, there = tmp_path / "here", tmp_path / "there"
    codes = meet.format(here, there), meet.format(there, here)
    supervisor.run([program(name, code, ends=True) for name, code in zip("ab", codes, strict=True)])
    with pytest.raises(Failed, match=r"c ended with status 1[^$]*boom"):
        supervisor.run([program("c", "raise SystemExit('boom')", ends=True)])


def test_later_stages_stop_before_earlier_ones(supervisor: Supervisor, tmp_path: Path) -> None:
    order = tmp_path / "order"
    code = (
        "import signal, sys, time\n"
        f"def end(*_): open({str(order)!r}, 'a').write(sys.argv[1]); sys.exit()\n"
        "signal.signal(int(sys.argv[2]), end); print('up', flush=True); time.sleep(60)"
    )
    for name, stage, number in [
        ("database", 0, signal.SIGINT),
        ("service", 1, signal.SIGTERM),
        ("front", 2, signal.SIGTERM),
    ]:
        command = [sys.executable, "-c", code, f"{name} ", str(int(number))]
        supervisor.start(Program(name, command, tmp_path, dict(os.environ), stage=stage, stop_signal=number))
    eventually(lambda: all("up" in (supervisor.state.logs / f"{name}.log").read_text() for name in supervisor.running))
    supervisor.stop()
    assert order.read_text() == "front service database "


def test_a_stop_ends_grandchildren_too(supervisor: Supervisor) -> None:
    process = supervisor.start(program("parent", f"import subprocess; subprocess.Popen({SLEEP!r}).wait()"))
    family = psutil.Process(process.pid)
    eventually(family.children)
    [child] = family.children()
    supervisor.stop()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_request_to_stop_is_honoured_while_waiting(supervisor: Supervisor) -> None:
    threading.Timer(0.2, supervisor.request_stop).start()
    with pytest.raises(StopRequested):
        supervisor.start_and_wait([program("slow", "import time; time.sleep(60)", ready=lambda: False)])


def test_the_log_of_the_run_before_is_kept_once(supervisor: Supervisor) -> None:
    for word in ("first", "second"):
        supervisor.run([program("talker", f"print({word!r})", ends=True)])
    assert (supervisor.state.logs / "talker.log").read_text() == "second\n"
    assert (supervisor.state.logs / "talker.log.1").read_text() == "first\n"


# --- PostgreSQL ------------------------------------------------------------------------------------------------------


def test_a_lock_whose_owner_is_another_program_by_now_does_not_stop_postgres(open_folder: Path) -> None:
    """As after a power cut, or in a restarted container, where low process ids come round at once."""
    postgres = Postgres(open_folder / "postgres", durable=False)
    postgres.prepare()
    lock = postgres.data / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{postgres.data}\n")
    postgres.prepare()
    assert not lock.exists()
    postgres.start()
    try:
        postgres.prepare()
        assert lock.exists()  # a PostgreSQL that runs on this data keeps its lock
    finally:
        postgres.stop()


def test_programs_copied_out_of_a_closed_folder_still_find_their_libraries(tmp_path: Path) -> None:
    packaged = programs(tmp_path / "unused")
    copied = copy_programs(packaged, tmp_path)
    assert copied != packaged
    for program_name in ("initdb", "postgres", "psql"):
        assert (
            "18"
            in subprocess.run([copied / program_name, "--version"], capture_output=True, text=True, check=True).stdout
        )
    assert copy_programs(packaged, tmp_path) == copied
