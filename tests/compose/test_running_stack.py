"""A running stack: unprivileged, closed, and the same after any of its parts was replaced."""

from __future__ import annotations

import json
import os
import re
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from compose.stack import compose, containers, docker, up, wait_until_served

pytestmark = pytest.mark.compose

REPLACED = ["nginx", "chat-gateway", "stream-gateway", "core-api", "worker", "packager", "redis", "postgres"]
TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+")


class Learner:
    """The demo's learner: what is theirs has to survive everything below."""

    def __init__(self, base_url: str) -> None:
        account = json.loads(Path(os.environ["LECTERN_E2E_ACCOUNTS"]).read_text())["accounts"]["learner"]
        self.base_url = base_url
        self.http = httpx.Client(base_url=base_url, timeout=30)
        credentials = {name: account[name] for name in ("username", "password")}
        tokens = self.http.post("/api/v1/auth/token/", json=credentials).raise_for_status().json()
        self.http.headers["Authorization"] = f"Bearer {tokens['access']}"

    def balance(self) -> int:
        balance: int = self.http.get("/api/v1/wallet/").raise_for_status().json()["balance"]
        return balance

    def first_playlist(self) -> str:
        """The master playlist of the first video that this learner may watch."""
        for course in self.http.get("/api/v1/courses/").raise_for_status().json()["results"]:
            outline = self.http.get(f"/api/v1/courses/{course['slug']}/").raise_for_status().json()
            for lesson in (lesson for section in outline["sections"] for lesson in section["lessons"]):
                started = self.http.post("/stream/v1/playback", json={"lesson": lesson["id"]})
                if started.status_code == 201:
                    return self.http.get(started.json()["manifest_url"]).raise_for_status().text
        raise AssertionError("the demo's learner may watch nothing")


@pytest.fixture
def running() -> dict[str, dict[str, Any]]:
    return containers()


def test_nothing_runs_as_root(running: dict[str, dict[str, Any]]) -> None:
    for name, container in running.items():
        lines = docker("top", container["Id"], "-eo", "uid,pid,args").splitlines()[1:]
        assert lines
        # docker-init, where there is one, belongs to the same user as what it started.
        assert not [line for line in lines if line.split()[0] == "0"], name


def test_only_nginx_can_be_reached_from_outside(running: dict[str, dict[str, Any]]) -> None:
    published = {
        name: [binding for bindings in container["NetworkSettings"]["Ports"].values() for binding in bindings or []]
        for name, container in running.items()
    }
    opened = {name: bindings for name, bindings in published.items() if bindings}
    assert opened == {"nginx": [{"HostIp": "127.0.0.1", "HostPort": os.environ["LECTERN_PORT"]}]}


def test_only_those_who_must_have_a_way_out(running: dict[str, dict[str, Any]]) -> None:
    networks = {network for container in running.values() for network in container["NetworkSettings"]["Networks"]}
    closed = {each["Name"] for each in json.loads(docker("network", "inspect", *networks)) if each["Internal"]}
    assert {
        name for name, container in running.items() if container["NetworkSettings"]["Networks"].keys() - closed
    } == {"nginx", "core-api", "worker"}


def test_no_file_system_can_be_written_but_where_it_must(running: dict[str, dict[str, Any]]) -> None:
    for name in running:
        refused = compose("exec", "-T", name, "sh", "-c", "touch /etc/x /usr/x /app/x 2>&1", check=False)
        assert "Read-only file system" in refused, name


def test_no_gateway_can_read_the_secret_that_signs() -> None:
    seen = {
        name: compose("exec", "-T", name, "ls", "/run/secrets").split() for name in ("stream-gateway", "chat-gateway")
    }
    assert seen == {
        "stream-gateway": ["database_url"],
        "chat-gateway": ["database_url", "django_secret_key", "redis_url"],
    }


def test_an_old_database_whose_secrets_are_gone_is_left_alone() -> None:
    project = f"{os.environ['COMPOSE_PROJECT_NAME']}-old"
    once = ("compose", "--project-name", project, "run", "--rm", "secrets")
    try:
        docker(*once)
        docker("volume", "rm", f"{project}_secrets-safe")
        refusal = docker(*once, check=False)
        assert "secrets made with it are gone" in refusal
        assert "Traceback" not in refusal
    finally:
        docker("compose", "--project-name", project, "down", "--volumes")


@pytest.mark.parametrize("name", REPLACED)
def test_a_part_can_be_replaced_while_the_others_run(
    name: str, base_url: str, running: dict[str, dict[str, Any]]
) -> None:
    up("--no-deps", "--force-recreate", name)
    after = containers()
    assert after[name]["Id"] != running[name]["Id"]
    assert {other for other in after if after[other]["Id"] != running[other]["Id"]} == {name}
    wait_until_served(base_url)
    learner = Learner(base_url)
    assert learner.balance() >= 0
    assert "#EXTM3U" in learner.first_playlist()


def test_down_and_up_keeps_what_people_have(base_url: str) -> None:
    before = Learner(base_url)
    balance, playlist_lines = before.balance(), len(before.first_playlist().splitlines())
    compose("down")
    up()
    after = Learner(base_url)
    assert after.balance() == balance
    assert len(after.first_playlist().splitlines()) == playlist_lines
    tokens = after.http.get("/.well-known/jwks.json").raise_for_status().json()["keys"]
    assert tokens


def test_new_database_passwords_take_effect_with_the_next_start(base_url: str) -> None:
    compose("run", "--rm", "secrets", "rotate", "database")
    up("--force-recreate")
    assert Learner(base_url).balance() >= 0


def test_a_missing_variable_stops_a_service_with_its_name() -> None:
    for name, variable in (
        ("core-api", "DATABASE_URL"),
        ("stream-gateway", "DATABASE_URL"),
        ("chat-gateway", "DATABASE_URL"),
    ):
        command = ("compose", "run", "--rm", "--no-deps", "-T", "-e", f"{variable}_FILE=", name)
        assert f"{variable} is missing" in docker(*command, check=False), name


def test_no_log_holds_a_token_or_a_secret(base_url: str) -> None:
    learner = Learner(base_url)
    token = learner.http.headers["Authorization"].removeprefix("Bearer ")
    httpx.get(f"{base_url}/ws/chat/{uuid.uuid4()}/", params={"token": token})
    httpx.get(f"{base_url}/api/v1/wallet/", params={"token": token})
    logs = compose("logs", "--no-color", "--no-log-prefix")
    assert '"event":' in logs.replace(" ", "")
    assert not TOKEN.findall(logs)
    secrets = compose("exec", "-T", "core-api", "sh", "-c", "cat /run/secrets/*").split()
    assert not [secret for secret in secrets if secret in logs]
