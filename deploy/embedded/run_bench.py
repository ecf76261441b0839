"""`make bench`: runs the benches of tests/bench/ and prints what they found (tests/bench/README.md).

python -m deploy.embedded.run_bench [name …]
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from deploy.embedded.state import REPOSITORY
from deploy.embedded.testbed import servers

BENCHES = REPOSITORY / "tests" / "bench"
WITHIN = 120  # seconds, each that does not ask for more


def main(arguments: Sequence[str], folder: Path = BENCHES, within: float = WITHIN) -> int:
    known = {file.stem.removeprefix("bench_"): file for file in sorted(folder.glob("bench_*.py"))}
    if unknown := [name for name in arguments if name not in known]:
        print(f"no such bench: {', '.join(unknown)}. There are: {', '.join(known)}", file=sys.stderr)
        return 2
    chosen = [known[name] for name in arguments] or list(known.values())
    failed = [file.stem.removeprefix("bench_") for file in chosen if not run(file, within)]
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run(file: Path, within: float) -> bool:
    """Runs one in a process of its own, which prints; True unless it failed or took too long.

    It may take `within` seconds, or what its own line `WITHIN = 300` says.
    """
    text = file.read_text(encoding="utf-8")
    needs_servers = re.search(r'^NEEDS = "servers"$', text, re.M)
    if asks := re.search(r"^WITHIN = (\d+)$", text, re.M):
        within = int(asks[1])
    path = os.pathsep.join([str(REPOSITORY / "tests"), str(REPOSITORY)])
    with ExitStack() as ending:
        variables = ending.enter_context(servers()) if needs_servers else {}
        environment = os.environ | variables | {"PYTHONPATH": path}
        try:
            subprocess.run([sys.executable, file], cwd=REPOSITORY, env=environment, check=True, timeout=within)
        except subprocess.CalledProcessError:
            return False
        except subprocess.TimeoutExpired:
            print(f"\n{file.name} took longer than {within} s and was ended.", file=sys.stderr)
            return False
    return True


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
