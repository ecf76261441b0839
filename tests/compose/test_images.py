"""What the Dockerfiles promise, read from the files themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted(
    [*ROOT.glob("services/*/Dockerfile"), ROOT / "nginx/Dockerfile", ROOT / "deploy/compose/Dockerfile"]
)
BASES = {"python:3.13-slim-trixie", "node:24-slim", "postgres:17", "redis:8", "nginx:1.30"}

each = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=[str(path.relative_to(ROOT)) for path in DOCKERFILES])


def test_there_are_the_images_of_every_part() -> None:
    assert {path.parent.name for path in DOCKERFILES} == {
        "core-api",
        "stream-gateway",
        "chat-gateway",
        "nginx",
        "compose",
    }


@each
def test_it_begins_with_a_pinned_base_and_fetches_no_syntax(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.M))
    assert set(re.findall(r"^FROM (\S+)", text, re.M)) <= BASES | stages
    assert not re.search(r"^#\s*syntax\s*=", text, re.M)


@each
def test_python_packages_are_locked_and_installed_before_the_source_is_copied(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    for install in re.finditer(r"^RUN pip .*$", text, re.M):
        assert "--require-hashes" in install[0]
        assert "--only-binary :all:" in install[0]
        assert "--no-cache-dir" in install[0]
        assert "/app" not in text[: install.start()]


@each
def test_nothing_of_one_machine_or_secret_is_built_in(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    assert not re.search(r"index-url|trusted-host|/work\b|/root\b|SECRET|PASSWORD", text)


@each
def test_the_image_ends_as_an_ordinary_user(dockerfile: Path) -> None:
    for stage in re.split(r"^FROM ", dockerfile.read_text(), flags=re.M)[1:]:
        name = re.match(r"\S+(?: AS (\S+))?", stage)
        assert name
        if name[1] in {
            "build",
            "javascript",
            "static",
            "secrets",
        }:  # stages that are thrown away, and the one-shot that hands over volumes
            continue
        users = re.findall(r"^USER (\S+)", stage, re.M)
        assert users, f"{name[0]} has no USER"
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])


def test_the_build_context_is_a_list_of_what_may_be_in_it() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule for rule in rules if rule.startswith("!")} == {
        "!services",
        "!nginx",
        "!deploy/compose",
        "!deploy/postgres",
    }
    assert {"**/tests", "**/.*", "**/*.sqlite3"} <= set(rules)


def test_nginxs_entry_point_finds_the_script_that_writes_its_lists() -> None:
    """It runs what is executable and ends in .sh there, after 20-envsubst-on-templates.sh."""
    text = (ROOT / "nginx/Dockerfile").read_text()
    assert "COPY --from=static /entrypoint /docker-entrypoint.d\n" in text
    assert "chmod 0755 /entrypoint/*" in text
    assert sorted(script.name for script in (ROOT / "nginx/entrypoint").iterdir()) == [
        "25-lectern-lists.sh",
        "26-lectern-storage.sh",
    ]
