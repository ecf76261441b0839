"""A running stack: unprivileged, closed, and the same after any of its parts was replaced."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from e2e import hls
from e2e.people import Person, newcomer

from compose.stack import compose, containers, docker, up, wait_until_served

pytestmark = pytest.mark.compose

REPLACED = ["nginx", "chat-gateway", "stream-gateway", "core-api", "worker", "packager", "redis", "postgres"]
TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+")


@pytest.fixture(scope="module")
def alice(base_url: str) -> Iterator[Person]:
    """Somebody who bought a course: what is hers has to survive everything below."""
    person = newcomer(base_url)
    person.buy_credit()
    course = person.get("/api/v1/courses/", params={"price_min": 1, "ordering": "price"}).json()["results"][0]["slug"]
    person.buy(course)
    yield person
    person.close()


def what_she_has(alice: Person) -> tuple[int, str, list[str]]:
    """Alice's balance, and the renditions of a lesson that she bought, as she sees them after logging in."""
    alice.log_in()
    enrolment = alice.get("/api/v1/enrolments/").json()["results"][0]
    course = alice.get(f"/api/v1/courses/{enrolment['course']['slug']}/").json()
    lessons = [lesson for section in course["sections"] for lesson in section["lessons"] if lesson["kind"] == "video"]
    lesson = next(lesson for lesson in lessons if not lesson["is_preview"])
    playback = alice.post("/stream/v1/playback", {"lesson": lesson["id"]}, expect=201).json()
    return (
        alice.get("/api/v1/wallet/").json()["balance"],
        lesson["id"],
        hls.variants(alice.get(playback["manifest_url"]).text),
    )


@pytest.fixture
def running() -> dict[str, dict[str, Any]]:
    return containers()


def test_nothing_runs_as_root(running: dict[str, dict[str, Any]]) -> None:
    for name, container in running.items():
        lines = docker("top", container["Id"], "-eo", "uid,pid,args").splitlines()[1:]
        assert lines
        # docker-init, where there is one, belongs to the same user as what it started.
        assert not [line for line in lines if line.split()[0] == "0"], name


def test_no_container_leaves_a_nameless_volume_behind() -> None:
    project = os.environ["COMPOSE_PROJECT_NAME"]
    every = json.loads(docker("inspect", *compose("ps", "--all", "--quiet").split()))
    volumes = {mount["Name"] for container in every for mount in container["Mounts"] if mount["Type"] == "volume"}
    assert all(volume.startswith(f"{project}_") for volume in volumes)


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
    name: str, base_url: str, alice: Person, running: dict[str, dict[str, Any]]
) -> None:
    before = what_she_has(alice)
    up("--no-deps", "--force-recreate", name)
    after = containers()
    assert after[name]["Id"] != running[name]["Id"]
    assert {other for other in after if after[other]["Id"] != running[other]["Id"]} == {name}
    wait_until_served(base_url)
    assert what_she_has(alice) == before


def test_down_and_up_keeps_what_people_have_also_with_new_database_passwords(alice: Person) -> None:
    before = what_she_has(alice)
    compose("run", "--rm", "secrets", "rotate", "database")
    compose("down")
    up()
    assert what_she_has(alice) == before


@pytest.mark.long  # a start more than the test above
def test_new_database_passwords_take_effect_with_the_next_start(alice: Person) -> None:
    before = what_she_has(alice)
    compose("run", "--rm", "secrets", "rotate", "database")
    up("--force-recreate")
    assert what_she_has(alice) == before


def test_a_missing_variable_stops_a_service_with_its_name() -> None:
    for name, variable in (
        ("core-api", "DATABASE_URL"),
        ("stream-gateway", "DATABASE_URL"),
        ("chat-gateway", "DATABASE_URL"),
    ):
        command = ("compose", "run", "--rm", "--no-deps", "-T", "-e", f"{variable}_FILE=", name)
        assert f"{variable} is missing" in docker(*command, check=False), name


def test_no_log_holds_a_token_or_a_secret(base_url: str, alice: Person) -> None:
    httpx.get(f"{base_url}/ws/chat/{uuid.uuid4()}/", params={"token": alice.access})
    httpx.get(f"{base_url}/api/v1/wallet/", params={"token": alice.access})
    logs = compose("logs", "--no-color", "--no-log-prefix")
    assert '"event":' in logs.replace(" ", "")
    assert not TOKEN.findall(logs)
    secrets = compose("exec", "-T", "core-api", "sh", "-c", "cat /run/secrets/*").split()
    assert not [secret for secret in secrets if secret in logs]
