"""The README's five lines work as pasted."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.mark.skipif(not shutil.which("curl"), reason="the README's lines need curl")
def test_the_five_lines_of_the_readme_walk_the_main_job(base_url: str, tmp_path: Path) -> None:
    marked = re.search(r"<!-- tests/e2e/test_readme\.py.*?-->\n```sh\n(.*?)```", README.read_text(), re.DOTALL)
    assert marked
    block = marked[1]
    done = subprocess.run(
        ["bash", "-c", block],
        env={"L": base_url, "PATH": "/usr/local/bin:/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("200: "), done.stdout + done.stderr
    assert (tmp_path / "lesson.mp4").stat().st_size > 10_000
