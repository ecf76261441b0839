"""`make bench` itself: that each bench runs is tested here, what it measures is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.embedded import run_bench


def test_the_verifiers_bench_prints_its_table(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LECTERN_BENCH_SECONDS", "0.01")
    assert run_bench.main(["verifier"]) == 0
    printed = capfd.readouterr().out
    assert printed.count(" µs ") >= 4
    assert "goal: < 120 µs" in printed


def test_a_name_that_is_none_is_told_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_bench.main(["made-up"]) == 2
    assert "no such bench: made-up. There are: " in capsys.readouterr().err


def test_one_that_fails_or_hangs_is_named_after_the_others_ran(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bench_a.py").write_text("raise SystemExit(3)")
    (tmp_path / "bench_b.py").write_text("import time; time.sleep(60)")
    (tmp_path / "bench_c.py").write_text("print('measured')")
    assert run_bench.main([], tmp_path, within=1) == 1
    said = capfd.readouterr()
    assert "measured" in said.out
    assert "failed: a, b" in said.err
