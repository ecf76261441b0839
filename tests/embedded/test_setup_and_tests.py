"""`make setup`, `make help`, and how `make test` counts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from deploy.embedded import install, run_tests
from deploy.embedded.run_tests import Result, Suite

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """install.py on a folder of its own; gives the commands that it would run, all of which succeed."""
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "pip").touch()
    (venv / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    commands: list[list[str]] = []
    monkeypatch.setattr(install, "VENV", str(venv))
    monkeypatch.setattr(install, "PYTHON", str(venv / "bin" / "python"))
    monkeypatch.setattr(install, "STAMP", str(venv / "stamp.json"))
    monkeypatch.setattr(install, "succeeds", lambda command: commands.append(command) or True)
    monkeypatch.setattr(install, "bring_javascript", lambda: 0)
    return commands


def test_nothing_is_installed_twice_until_a_lock_file_changes(installation, monkeypatch, tmp_path: Path) -> None:
    assert install.main([]) == 0
    assert len(installation) == 2  # uv itself, then everything with it
    assert install.main([]) == 0
    assert len(installation) == 2
    changed = tmp_path / "requirements.txt"
    changed.write_text("something==2")
    monkeypatch.setitem(install.LOCKS, "runtime", [str(changed)])
    assert install.main([]) == 0
    assert len(installation) == 4


def test_every_package_is_checked_against_its_hash(installation) -> None:
    install.main(["--tests"])
    assert all("--require-hashes" in command for command in installation)
    assert "tests/requirements.txt" in installation[-1]


def test_pip_takes_over_where_uv_does_not_get_through(installation, monkeypatch) -> None:
    monkeypatch.setattr(
        install, "succeeds", lambda command: installation.append(command) or not command[0].endswith("/uv")
    )
    assert install.main([]) == 0
    assert installation[-1][1:4] == ["-m", "pip", "install"]
    assert "services/core-api/requirements.txt" in installation[-1]


def test_a_failed_installation_is_tried_again_next_time(installation, monkeypatch, capsys) -> None:
    monkeypatch.setattr(install, "succeeds", lambda _: False)
    assert install.main([]) == 1
    assert "could not be installed" in capsys.readouterr().err
    monkeypatch.setattr(install, "succeeds", lambda command: installation.append(command) or True)
    assert install.main([]) == 0
    assert installation


def test_an_old_python_is_named(installation, monkeypatch, capsys) -> None:
    monkeypatch.setattr(install.sys, "version_info", (3, 9, 2))
    assert install.main([]) == 1
    assert "python3 is 3.9, and Lectern needs 3.11" in capsys.readouterr().err
    assert installation == []


def test_a_python_without_venv_says_what_to_install(installation, monkeypatch, capsys) -> None:
    monkeypatch.setattr(install, "has_working_venv", lambda: False)
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    assert install.main([]) == 1
    assert "apt install python3-venv" in capsys.readouterr().err


def test_what_it_makes_it_knows_again(tmp_path: Path, installation, monkeypatch) -> None:
    for name in ("VENV", "PYTHON"):
        monkeypatch.setattr(install, name, getattr(install, name).replace(str(tmp_path), str(tmp_path / "a folder")))
    assert not install.has_working_venv()
    assert install.make_venv()
    assert install.has_working_venv()


def test_a_virtual_environment_of_another_python_is_made_again(installation, tmp_path: Path) -> None:
    assert install.has_working_venv()
    (tmp_path / "venv" / "bin" / "python").unlink()
    (tmp_path / "venv" / "bin" / "python").symlink_to("/usr/bin/env")
    assert not install.has_working_venv()


def test_help_lists_every_target_that_a_person_would_call() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.M)) - {"setup-tests"}
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith("MAKE")
    }  # `make test` runs this, too
    helped = subprocess.run(["make", "help"], cwd=ROOT, env=plain, capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in helped.splitlines()} == targets
    declared = re.search(r"^\.PHONY:(.*?)\n\n", makefile.replace("\\\n", ""), re.M | re.S)
    assert declared
    assert set(declared[1].split()) == targets | {"setup-tests"}


def test_the_counts_of_all_suites_are_added_up(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_some.py").write_text(
        "import pytest\n"
        "def test_a(): pass\n"
        "def test_b(): assert 0\n"
        "@pytest.mark.skip(reason='no camel here')\ndef test_c(): pass\n"
        "@pytest.fixture\ndef broken(): raise OSError\n"
        "def test_d(broken): pass\n"
    )
    file = tmp_path / "report.xml"
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--junitxml={file}", "tests"], cwd=tmp_path, capture_output=True
    )
    counts, skips = run_tests.read_report(file)
    assert counts == Counter(passed=1, failed=2, skipped=1)
    assert skips == ["1: no camel here"]


def test_the_last_line_counts_and_a_failure_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    suite = Suite("some", ".")
    good = Result(suite, Counter(passed=3, skipped=1), 1, "", ["1: no camel here"])
    bad = Result(Suite("other", "."), Counter(passed=2, failed=1), 1, "", [])
    assert run_tests.conclude([good], 1) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3 passed, 0 failed, 1 skipped"
    assert run_tests.conclude([good, bad], 1) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "5 passed, 1 failed, 1 skipped"
    assert "failed: other" in out
    assert "some: 1: no camel here" in out


def test_a_suite_that_cannot_start_counts_as_failed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(run_tests, "REPORTS", tmp_path)
    (result,) = run_tests.run_group([Suite("nowhere", "no/such/folder")], "not long")
    assert result.counts == Counter(failed=1)


def test_no_lock_file_carries_an_address() -> None:
    locks = [ROOT / "services/core-api/javascript/package-lock.json", *ROOT.glob("*/*/requirements.txt")]
    locks += [*ROOT.glob("tests/*/*/package-lock.json")]
    locks += [*ROOT.glob("deploy/embedded/*.txt"), ROOT / "tests/requirements.txt"]
    assert len(locks) >= 8
    assert [str(lock) for lock in locks if "://" in lock.read_text()] == []


def test_suites_that_need_a_demo_share_one() -> None:
    suites = [
        Suite("a", "."),
        Suite("b", ".", needs="demo"),
        Suite("c", ".", needs="servers"),
        Suite("d", ".", needs="demo"),
    ]
    names = [[suite.name for suite in group] for group in run_tests.grouped(suites)]
    assert names == [["a"], ["b", "d"], ["c"]]


def test_every_suite_of_the_makefile_exists() -> None:
    called = re.findall(r"run_tests ([a-z][a-z0-9 -]*)$", (ROOT / "Makefile").read_text(), re.M)
    assert set(" ".join(called).split()) <= {suite.name for suite in run_tests.SUITES}


def test_what_is_brought_or_made_is_in_no_commit() -> None:
    """Libraries of other people, media, secrets: a file may have been added before .gitignore named it."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listing.returncode:
        pytest.skip("this is no git repository")
    assert listing.stdout == ""
