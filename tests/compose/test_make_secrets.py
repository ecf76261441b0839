"""The one-shot that makes the secrets: once, never beside an old database, each part its own and nothing else's."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from deploy.compose import make_secrets

Given = list[tuple[str, int, int, int]]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The container's file system before the first start. Nothing is handed over: that takes root."""
    monkeypatch.setattr(make_secrets.os, "chown", lambda *_: None)
    (tmp_path / "safe").mkdir()
    (tmp_path / "volumes/postgres").mkdir(parents=True)
    for consumer in make_secrets.handouts(dict.fromkeys(make_secrets.NAMES, "")):
        (tmp_path / "consumers" / consumer).mkdir(parents=True)
    return tmp_path


def run(root: Path, *arguments: str) -> int:
    return make_secrets.main(list(arguments), root)


def safe(root: Path) -> dict[str, str]:
    known: dict[str, str] = json.loads((root / "safe/secrets.json").read_text())
    return known


def read(root: Path, file: str) -> str:
    return (root / "consumers" / file).read_text()


def test_the_first_start_makes_them_and_the_second_keeps_them(root: Path) -> None:
    assert run(root) == 0
    first = safe(root)
    assert run(root) == 0
    assert safe(root) == first
    assert len(set(first.values())) == len(make_secrets.NAMES)
    assert min(map(len, first.values())) >= 43  # 256 bits


def test_an_old_database_without_its_secrets_is_left_alone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(root)
    (root / "safe/secrets.json").unlink()
    before = read(root, "core/database_url")
    assert run(root) == 78
    assert "secrets made with it are gone" in capsys.readouterr().err
    assert not (root / "safe/secrets.json").exists()
    assert read(root, "core/database_url") == before


def test_a_start_that_was_killed_before_the_database_was_made_is_taken_up_again(root: Path) -> None:
    run(root)
    (root / "volumes/postgres/pgdata").rmdir()
    assert run(root) == 0
    assert (root / "volumes/postgres/pgdata").is_dir()


def test_one_lost_secret_is_enough_to_leave_an_old_database_alone(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(root)
    left = {name: value for name, value in safe(root).items() if name != "signing_key_secret"}
    (root / "safe/secrets.json").unlink()
    (root / "safe/secrets.json").write_text(json.dumps(left))
    assert run(root) == 78
    assert "`secrets-safe`: signing_key_secret." in capsys.readouterr().err
    assert safe(root) == left


def test_an_older_release_keeps_the_secrets_of_a_newer_one(root: Path) -> None:
    run(root)
    newer = {**safe(root), "of_a_newer_release": "x"}
    (root / "safe/secrets.json").unlink()
    (root / "safe/secrets.json").write_text(json.dumps(newer))
    run(root)
    assert safe(root) == newer


def test_no_gateway_and_no_packager_can_read_what_signs(root: Path) -> None:
    run(root)
    signing = {safe(root)[name] for name in ("signing_key_secret", "sandbox_secret", "core_django_secret_key")}
    for consumer in (
        "packager",
        "stream",
        "chat",
        "migrate-stream",
        "migrate-chat",
        "postgres",
        "redis",
        "roles",
    ):
        texts = [file.read_text() for file in (root / "consumers" / consumer).iterdir()]
        assert not [text for text in texts if any(secret in text for secret in signing)], consumer


def test_an_owner_s_password_is_known_to_its_migration_alone(root: Path) -> None:
    run(root)
    for owner, migration in (
        ("core_owner", "migrate"),
        ("stream_owner", "migrate-stream"),
        ("chat_owner", "migrate-chat"),
    ):
        password = safe(root)[f"{owner}_password"]
        holders = {
            file.parent.name
            for file in (root / "consumers").rglob("*")
            if file.is_file() and password in file.read_text()
        }
        assert holders == {migration, "roles"}


def test_only_the_owner_may_read_a_file(root: Path) -> None:
    run(root)
    files = [file for file in root.rglob("*") if file.is_file()]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o400}


def test_rotation_changes_one_group_and_hands_it_out(root: Path) -> None:
    run(root)
    before = safe(root)
    assert run(root, "rotate", "database") == 0
    changed = {name for name, value in safe(root).items() if value != before[name]}
    assert changed == set(make_secrets.ROTATABLE["database"])
    assert safe(root)["stream_password"] in read(root, "stream/database_url")


def test_what_a_consumer_no_longer_needs_is_taken_away(root: Path) -> None:
    run(root)
    (root / "consumers/stream/forgotten").write_text("x")
    run(root)
    assert {file.name for file in (root / "consumers/stream").iterdir()} == {"database_url"}


@pytest.mark.parametrize("arguments", [["rotate"], ["rotate", "everything"], ["help"]])
def test_a_wrong_argument_changes_nothing(root: Path, arguments: list[str]) -> None:
    assert run(root, *arguments) == 2
    assert not (root / "safe/secrets.json").exists()
