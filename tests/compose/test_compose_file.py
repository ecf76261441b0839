"""What docker-compose.yml promises, read from the file itself: no Docker is needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOTS = {"secrets", "roles", "migrate", "migrate-stream", "migrate-chat"}
RUNNING = SERVICES.keys() - ONE_SHOTS
PUBLIC_IMAGES = {"postgres:17", "redis:8"}

each_service = pytest.mark.parametrize("name", sorted(SERVICES))


def mounts(name: str) -> dict[str, str]:
    """What is mounted where: volume → ro or rw."""
    parts = [volume.split(":") for volume in SERVICES[name].get("volumes", [])]
    return {part[0]: part[2] if len(part) > 2 else "rw" for part in parts}


def networks(name: str) -> set[str]:
    return set(SERVICES[name].get("networks", []))


@each_service
def test_a_container_has_no_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert service["mem_limit"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert not service.keys() & {"privileged", "devices", "pid", "ipc", "userns_mode"}


@each_service
def test_a_container_runs_as_a_numbered_ordinary_user(name: str) -> None:
    user, capabilities = SERVICES[name]["user"], SERVICES[name].get("cap_add", [])
    if name == "secrets":
        assert (user, capabilities, SERVICES[name]["network_mode"]) == ("0:0", ["CHOWN"], "none")
    else:
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
        assert capabilities == []


@each_service
def test_nothing_of_the_host_is_mounted(name: str) -> None:
    assert mounts(name).keys() <= COMPOSE["volumes"].keys()


@each_service
def test_images_are_pinned(name: str) -> None:
    service = SERVICES[name]
    if "build" in service:
        assert service["image"].startswith("lectern/")
        assert (ROOT / service["build"]["dockerfile"]).is_file()
    else:
        assert service["image"] in PUBLIC_IMAGES


def test_only_nginx_opens_a_port_and_only_here() -> None:
    assert {name for name in SERVICES if "ports" in SERVICES[name]} == {"nginx"}
    assert SERVICES["nginx"]["ports"] == ["${LECTERN_BIND:-127.0.0.1}:${LECTERN_PORT:-8000}:8000"]


@pytest.mark.parametrize("name", sorted(RUNNING))
def test_a_running_service_is_watched_restarted_and_stopped_gently(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"
    assert int(service["stop_grace_period"].rstrip("s")) >= 20
    assert service["depends_on"]
    assert all(service["depends_on"][other]["condition"] != "service_started" for other in service["depends_on"])


@pytest.mark.parametrize("name", sorted(ONE_SHOTS))
def test_a_one_shot_runs_once_and_is_waited_for(name: str) -> None:
    assert SERVICES[name]["restart"] == "no"
    waiting = [
        service["depends_on"][name]["condition"]
        for service in SERVICES.values()
        if name in service.get("depends_on", {})
    ]
    assert waiting, (
        "`docker compose up --wait` takes a container that ended for a failure unless something waits for its end"
    )
    assert set(waiting) == {"service_completed_successfully"}


def test_each_consumer_of_secrets_has_a_volume_of_its_own() -> None:
    handed = {name: {volume for volume in mounts(name) if volume.startswith("secrets-")} for name in SERVICES}
    everything = handed.pop("secrets")
    assert everything == {volume for volume in COMPOSE["volumes"] if volume.startswith("secrets-")}
    assert handed == {
        "roles": {"secrets-roles"},
        "migrate": {"secrets-migrate"},
        "migrate-stream": {"secrets-migrate-stream"},
        "migrate-chat": {"secrets-migrate-chat"},
        "postgres": {"secrets-postgres"},
        "redis": {"secrets-redis"},
        "core-api": {"secrets-core"},
        "worker": {"secrets-core"},
        "packager": {"secrets-packager"},
        "stream-gateway": {"secrets-stream"},
        "chat-gateway": {"secrets-chat"},
        "nginx": set(),
    }
    read_only = {mounts(name)[volume] for name, volumes in handed.items() for volume in volumes}
    assert read_only == {"ro"}


FROM_OUTSIDE = {"EMAIL_URL", "LECTERN_STRIPE_SECRET_KEY", "LECTERN_STRIPE_WEBHOOK_SECRET"}  # which nobody here can make


@each_service
def test_no_secret_that_we_make_stands_in_an_environment(name: str) -> None:
    secret = re.compile(r"SECRET|PASSWORD|DATABASE_URL|REDIS_URL")
    for variable, value in SERVICES[name].get("environment", {}).items():
        if variable in FROM_OUTSIDE:
            assert value == f"${{{variable}:-}}"
            assert name in {"core-api", "worker"}
        elif secret.search(variable):
            assert variable.endswith("_FILE")
            assert value.startswith("/run/secrets/")


def test_who_may_talk_to_whom() -> None:
    internal = {name for name, network in COMPOSE["networks"].items() if (network or {}).get("internal")}
    assert internal == {"edge", "data"}
    assert {name for name in SERVICES if "front" in networks(name)} == {"nginx"}
    assert {name for name in SERVICES if "egress" in networks(name)} == {"core-api", "worker"}
    assert "data" not in networks("nginx")
    for name in ("packager", "postgres", "redis", *ONE_SHOTS - {"secrets"}):
        assert networks(name) == {"data"}, name


def test_who_may_write_media_and_uploads() -> None:
    media = {name: mounts(name)["media"] for name in SERVICES if "media" in mounts(name)}
    uploads = {name: mounts(name)["uploads"] for name in SERVICES if "uploads" in mounts(name)}
    assert media["stream-gateway"] == media["nginx"] == "ro"
    assert uploads["packager"] == "ro"
    assert not {"chat-gateway", "postgres", "redis"} & (media.keys() | uploads.keys())
    assert "nginx" not in uploads


def test_a_scanner_is_on_a_network_with_chat_alone_and_has_its_own_way_out() -> None:
    clamav = yaml.safe_load((ROOT / "deploy" / "compose" / "clamav.yml").read_text())
    assert clamav["networks"]["scanning"] == {"internal": True}
    ways = {name: service["networks"] for name, service in clamav["services"].items()}
    assert ways == {
        "clamav": ["scanning", "signatures"],
        "chat-gateway": [*SERVICES["chat-gateway"]["networks"], "scanning"],
    }
    assert "ports" not in clamav["services"]["clamav"]
    assert re.fullmatch(r"clamav/clamav:\d+\.\d+", clamav["services"]["clamav"]["image"])
    assert clamav["services"]["chat-gateway"]["environment"] == {"CLAMAV_ADDRESS": "clamav:3310"}


def test_files_of_tickets_are_the_chats_alone_and_nginx_reads_them() -> None:
    held = {name: mounts(name)["attachments"] for name in SERVICES if "attachments" in mounts(name)}
    assert held == {"secrets": "rw", "chat-gateway": "rw", "nginx": "ro"}
    group = SERVICES["chat-gateway"]["user"].split(":")[1]
    assert SERVICES["nginx"]["group_add"] == [group]


def test_whom_nginx_believes_is_the_operators_to_say_and_the_services_believe_nginx() -> None:
    own = "${LECTERN_TRUSTED_PROXIES:-}"
    told = {
        name: SERVICES[name]["environment"].get("LECTERN_TRUSTED_PROXIES")
        for name in SERVICES
        if "environment" in SERVICES[name]
    }
    assert told.pop("nginx") == own
    assert own not in told.values()
    for name in ("LECTERN_PUBLIC_URL", "LECTERN_ALLOWED_ORIGINS"):
        assert SERVICES["nginx"]["environment"][name] == SERVICES["core-api"]["environment"][name]


def test_every_setting_of_the_contract_reaches_its_service_or_is_decided_here() -> None:
    """One that an operator writes into `.env` and nothing passes on is ignored without a word."""
    text = (ROOT / "deploy" / "contracts.md").read_text().split("## Configuration")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \|", text, re.MULTILINE)
    names = {name for row in rows for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", row)}
    files = [ROOT / "docker-compose.yml", ROOT / "deploy" / "compose" / "s3.yml"]
    composed = "".join(file.read_text() for file in files)
    passed_on = {name for name in names if f"${{{name}" in composed}
    decided = {name for name in names if re.search(rf"^ *{name}(_FILE)?:", composed, re.MULTILINE)}
    assert names - passed_on - decided == {"DJANGO_DEBUG", "LECTERN_FFMPEG"}  # the image has one


def test_object_storage_gives_a_way_out_to_those_who_talk_to_it_alone() -> None:
    s3 = yaml.safe_load((ROOT / "deploy" / "compose" / "s3.yml").read_text())
    assert s3["services"].keys() == {"core-api", "worker", "packager", "stream-gateway", "nginx"}
    ways = {name: service["networks"] for name, service in s3["services"].items() if "networks" in service}
    assert ways == {"packager": ["data", "storage"], "stream-gateway": ["edge", "data", "storage"]}
    for name, service in s3["services"].items():
        assert service["environment"]["MEDIA_STORAGE"] == "s3"
        if name == "nginx":  # the gateway signs what it fetches
            assert not [variable for variable in service["environment"] if "KEY" in variable]
            continue
        assert service["environment"]["S3_SECRET_ACCESS_KEY"].startswith("${S3_")  # the operator's, never one of ours
