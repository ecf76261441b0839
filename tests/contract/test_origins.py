"""The three services and nginx let web apps of other origins ask and read the same (deploy/contracts.md)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = (ROOT / "deploy" / "contracts.md").read_text()
CORE, CHAT = (ROOT / "services" / service / "config" / "settings.py" for service in ("core-api", "chat-gateway"))
STREAM = ROOT / "services" / "stream-gateway" / "stream_gateway" / "origins.py"


def promised(pattern: str) -> list[str]:
    found = re.search(pattern, CONTRACT)
    assert found
    return found[1].split(", ")


def assigned(file: Path, name: str) -> object:
    for line in ast.parse(file.read_text()).body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == name:
            return ast.literal_eval(line.value)
    raise AssertionError(f"{file} assigns no {name}")


@pytest.mark.parametrize(
    ("file", "name"), [(CORE, "CORS_ALLOW_HEADERS"), (CHAT, "CORS_ALLOW_HEADERS"), (STREAM, "ASK")]
)
def test_what_an_app_may_send(file: Path, name: str) -> None:
    assert assigned(file, name) == promised(r"Preflights allow `([^`]+)`")


@pytest.mark.parametrize(
    ("file", "name"), [(CORE, "CORS_EXPOSE_HEADERS"), (CHAT, "CORS_EXPOSE_HEADERS"), (STREAM, "EXPOSED")]
)
def test_what_an_app_may_read(file: Path, name: str) -> None:
    assert assigned(file, name) == promised(r"Access-Control-Expose-Headers: ([^`]+)`")


def test_what_an_app_may_read_of_nginxs_refusals() -> None:
    template = (ROOT / "nginx" / "templates" / "origins.conf.template").read_text()
    assert ", ".join(promised(r"Access-Control-Expose-Headers: ([^`]+)`")) in template
