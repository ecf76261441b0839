"""Folders of tests do not stay, however the tests end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deploy.embedded.throwaway import YOUNGEST_S, throwaway

REPOSITORY = Path(__file__).resolve().parents[2]
MAKE = "import os, signal; from deploy.embedded.throwaway import throwaway; print(throwaway('kept-'), flush=True)"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def made_by(program: str) -> Path:
    """The folder that another process made, which has ended."""
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True)
    return Path(done.stdout.strip())


def test_a_folder_goes_with_its_process(temporary: Path) -> None:
    folder = made_by(MAKE + "; raise SystemExit(1)")
    assert folder.parent == temporary
    assert not folder.exists()


def test_what_a_killed_process_left_goes_when_the_next_one_begins(temporary: Path) -> None:
    left = made_by(MAKE + "; os.kill(os.getpid(), signal.SIGKILL)")
    (left / "file").write_text("left")
    young = made_by(MAKE + "; os.kill(os.getpid(), signal.SIGKILL)")
    mine = temporary / f"kept-{os.getpid()}-running"
    mine.mkdir()
    foreign = temporary / "kept-by-somebody"
    foreign.mkdir()
    for folder in (left, mine, foreign):
        os.utime(folder, (1, 1))
    os.utime(young, (young.stat().st_mtime - YOUNGEST_S + 60,) * 2)
    throwaway("kept-").rmdir()
    assert {folder.exists() for folder in (mine, foreign, young)} == {True}
    assert not left.exists()
