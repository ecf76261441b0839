"""`make demo` as a person at a terminal meets it."""

from __future__ import annotations

import os
import signal
import socket

import httpx
import psycopg
import pytest
from conftest import Demo, eventually


def test_the_first_start_says_where_to_look_and_the_second_keeps_everything(stopped: Demo) -> None:
    first = stopped.call("start")
    assert first.returncode == 0, first.stdout + first.stderr
    for part in (
        stopped.url,
        f"{stopped.url}/admin/",
        "/api/schema/swagger-ui/",
        "lena",
        "pw-of-lena",
        "demo-stop",
        "README",
    ):
        assert part in first.stdout
    assert httpx.get(f"{stopped.url}/healthz", trust_env=False).status_code == 200
    with psycopg.connect(stopped.database()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert stopped.call("stop").returncode == 0
    assert stopped.processes() == []
    again = stopped.call("start")
    assert again.returncode == 0
    assert "static files" in first.stdout
    assert "static files" not in again.stdout  # nothing changed
    with psycopg.connect(stopped.database()) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        connection.execute("DROP TABLE kept")


def test_migrations_run_again_only_for_another_release(stopped: Demo) -> None:
    assert "migrations" in stopped.call("start", SMALL_DEMO_RELEASE="second").stdout
    stopped.call("stop")
    assert "migrations" not in stopped.call("start", SMALL_DEMO_RELEASE="second").stdout


def test_ctrl_c_stops_everything_and_postgres_cleanly(stopped: Demo) -> None:
    manager = stopped.run()
    stopped.wait_until_ready()
    manager.send_signal(signal.SIGINT)
    out, err = manager.communicate(timeout=30)
    assert (manager.returncode, err) == (0, "")
    assert "stopped; everything is kept" in out
    assert stopped.processes() == []
    assert not (stopped.state.postgres / "data" / "postmaster.pid").exists()


def test_ctrl_c_while_it_is_starting_stops_it_too(stopped: Demo) -> None:
    manager = stopped.run(SMALL_DEMO_STUCK="chat-gateway")
    eventually(lambda: any(note["name"] == "chat-gateway" for note in notes(stopped)))
    manager.send_signal(signal.SIGINT)
    manager.communicate(timeout=30)
    assert manager.returncode == 0
    assert stopped.processes() == []


def test_after_a_kill_the_next_start_ends_what_was_left_and_loses_nothing(stopped: Demo) -> None:
    stopped.start()
    with psycopg.connect(stopped.database()) as connection:
        connection.execute("CREATE TABLE bought AS SELECT 7 AS course")
    os.kill(stopped.wait_until_ready(), signal.SIGKILL)
    eventually(lambda: not stopped.state.is_held())
    left = {process.pid for process in stopped.processes()}
    assert len(left) >= 6  # three services, nginx, Redis, PostgreSQL
    again = stopped.call("start")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "the last run was killed" in again.stdout
    assert left.isdisjoint(process.pid for process in stopped.processes())
    with psycopg.connect(stopped.database()) as connection:
        assert connection.execute("SELECT course FROM bought").fetchone() == (7,)


def test_stopping_ends_what_a_killed_manager_left(stopped: Demo) -> None:
    stopped.start()
    os.kill(stopped.wait_until_ready(), signal.SIGKILL)
    eventually(lambda: not stopped.state.is_held())
    assert stopped.call("stop").returncode == 0
    assert stopped.processes() == []


def test_a_second_run_says_that_it_is_running_and_where(stopped: Demo) -> None:
    stopped.start()
    second = stopped.call("run")
    assert (second.returncode, stopped.url in second.stdout) == (1, True)
    assert "running already" in second.stdout
    background = stopped.call("start")
    assert (background.returncode, stopped.url in background.stdout) == (0, True)
    assert httpx.get(f"{stopped.url}/healthz", trust_env=False).status_code == 200


def test_a_service_that_dies_is_named_with_its_last_words_and_everything_stops(stopped: Demo) -> None:
    manager = stopped.run(SMALL_DEMO_DIES="stream-gateway")
    _, err = manager.communicate(timeout=60)
    assert manager.returncode == 1
    for part in ("stream-gateway ended with status 3", "a line that explains why", "everything has been stopped"):
        assert part in err
    assert stopped.processes() == []


def test_a_start_in_the_background_that_fails_says_why(stopped: Demo) -> None:
    failed = stopped.call("start", SMALL_DEMO_DIES="core-api", SMALL_DEMO_STUCK="core-api")
    assert failed.returncode == 1
    assert "core-api ended with status 3" in failed.stdout


def test_a_taken_port_is_named_with_the_way_out(stopped: Demo) -> None:
    with socket.create_server(("127.0.0.1", stopped.port)):
        refused = stopped.call("run")
    assert refused.returncode == 1
    assert f"port {stopped.port} is taken" in refused.stderr
    assert "LECTERN_PORT=9000 make demo" in refused.stderr
    assert stopped.processes() == []


@pytest.mark.parametrize("port", ["http", "0", "70000", "-1"])
def test_a_malformed_port_is_refused(stopped: Demo, port: str) -> None:
    refused = stopped.call("run", LECTERN_PORT=port)
    assert (refused.returncode, "LECTERN_PORT" in refused.stderr) == (1, True)


def test_without_redis_it_says_how_chat_runs(stopped: Demo) -> None:
    started = stopped.call("start", SMALL_DEMO_NO_REDIS="1")
    assert started.returncode == 0, started.stdout
    assert "chat runs as one process on its in-memory layer" in started.stdout


def test_stopping_what_does_not_run_is_no_error(stopped: Demo) -> None:
    done = stopped.call("stop")
    assert (done.returncode, done.stdout) == (0, "Lectern is not running.\n")


def test_no_secret_stands_in_a_process_list_or_is_readable_by_others(stopped: Demo) -> None:
    stopped.start()
    secrets = [file.read_text() for file in (stopped.state.home / "secrets").iterdir() if file.name != "mark"]
    lists = "\n".join(" ".join(process.cmdline()) for process in stopped.processes())
    assert not [secret for secret in secrets if secret in lists]
    for file in [*(stopped.state.home / "secrets").iterdir(), stopped.state.home / "redis.conf"]:
        assert file.stat().st_mode & 0o077 == 0


def notes(demo: Demo) -> list[dict[str, object]]:
    return list(demo.state.read_note("processes").get("processes", []))
