"""The running Compose stack, as an operator handles it: `docker compose …` in the checkout."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx

from deploy.embedded.waiting import looks

ROOT = Path(__file__).resolve().parents[2]
HEALTHY_WITHIN_S = 180
# One page of each part, through nginx, that needs no account.
PAGES = {
    "nginx": "/healthz",
    "core-api": "/api/v1/courses/",
    "stream-gateway": "/stream/v1/openapi.json",
    "chat-gateway": "/chat/v1/openapi.json",
}


def docker(*arguments: str, check: bool = True) -> str:
    """The output of `docker …`; raises with its error text if it failed."""
    done = subprocess.run(["docker", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr[-2000:]}"
    return done.stdout + ("" if check else done.stderr)


def compose(*arguments: str, check: bool = True) -> str:
    return docker("compose", *arguments, check=check)


def up(*arguments: str) -> None:
    """Starts what is not running and waits until all of it is healthy."""
    compose("up", "--detach", "--wait", "--wait-timeout", str(HEALTHY_WITHIN_S), *arguments)


def containers() -> dict[str, dict[str, Any]]:
    """What the engine says of each running service's container."""
    ids = compose("ps", "--quiet").split()
    inspected: list[dict[str, Any]] = json.loads(docker("inspect", *ids))
    return {each["Config"]["Labels"]["com.docker.compose.service"]: each for each in inspected}


def wait_until_served(base_url: str, seconds: float = 60) -> None:
    """Until each part answers through nginx; fails after `seconds` with what it answered last."""
    for _ in looks(seconds, pause=0.2):
        failing = {part: status for part, status in statuses(base_url).items() if status != 200}
        if not failing:
            return
    raise AssertionError(f"after {seconds} s still {failing}")


def statuses(base_url: str) -> dict[str, int | str]:
    return {part: status_of(base_url + path) for part, path in PAGES.items()}


def status_of(url: str) -> int | str:
    try:
        return httpx.get(url, timeout=10).status_code
    except httpx.TransportError as error:
        return repr(error)
