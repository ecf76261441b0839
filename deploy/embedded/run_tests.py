"""`make test`: runs the suites side by side and ends with one line that counts everything.

    python -m deploy.embedded.run_tests [--long] [suite …]

Each suite that needs one gets a PostgreSQL (and Redis) of its own; those that need a whole demo share one of their own.
A suite's full output is kept in .lectern/tests/<suite>.log.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree  # our own pytest wrote what it reads
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.embedded.postgres import free_port
from deploy.embedded.state import REPOSITORY
from deploy.embedded.testbed import servers

REPORTS = REPOSITORY / ".lectern" / "tests"
LANES = (os.cpu_count() or 2) + 2  # more than fit: suites that try faults, or that nginx makes wait, are often idle
PYTEST = (sys.executable, "-m", "pytest", "--color=no", "--durations=5", "--durations-min=2")
TIMEOUT = {"not long": 120, "long": 1200}  # seconds for one test
MYPY = (sys.executable, "-m", "mypy", "--config-file", "../../pyproject.toml", "--exclude", "^tests/")


@dataclass(frozen=True)
class Suite:
    name: str
    folder: str  # where it runs, below the repository
    steps: Sequence[tuple[str, Sequence[str]]] = ()  # checks that are not pytest: where, and what
    tests: Sequence[str] = ("tests",)
    marked: str = ""  # which of the tests, beside long or not long; pytest refuses a mark that the suite does not know
    needs: str = ""  # "servers": PostgreSQL and Redis; "demo": everything, running
    environment: dict[str, str] = field(default_factory=dict)


# Half of core-api's tests: a suite of their own, beside the others.
MONEY = ("approvals", "payments", "proofs", "wallet")
# Where SQLite may differ: in statements, constraints and locks. What the database has no part in is tested beside PostgreSQL.
ON_SQLITE = (
    *("accounts/test_attempts.py", "accounts/test_logging_in.py", "accounts/test_refreshing.py", "approvals"),
    *("config/test_compiled.py", "config/test_jobs.py", "config/test_starting.py"),
    *("courses/test_authoring.py", "courses/test_catalogue.py"),
    *("courses/test_outline.py", "courses/test_search.py", "learning", "mail", "media/test_load_demo.py", "privacy"),
    *("payments/test_sandbox.py", "payments/test_topping_up.py", "payments/test_webhooks.py"),
    *("proofs/test_chains.py", "proofs/test_reconciling.py", "wallet"),
)
LINT = Suite(
    "lint",
    ".",
    steps=[
        (".", (sys.executable, "-m", "ruff", "format", "--check", ".")),
        (".", (sys.executable, "-m", "ruff", "check", ".")),
        # The Django plugin needs some settings to read, so core-api's stand in for the parts that have none.
        ("services/core-api", (*MYPY, ".", "../stream-gateway/stream_gateway", "../../deploy/embedded")),
        ("services/chat-gateway", (*MYPY, ".")),
    ],
    environment={
        "DJANGO_DEBUG": "1",
        "MYPYPATH": "../..:../stream-gateway",
        "DJANGO_SECRET_KEY": "only for reading the settings, not for running anything",
        "DATABASE_URL": "postgres://nobody@127.0.0.1:9/nowhere",
        "LECTERN_PUBLIC_URL": "http://127.0.0.1:8000",
        "LECTERN_JWKS_URL": "http://127.0.0.1:9/",
        "LECTERN_ATTACHMENTS_ROOT": "/nowhere",
    },
)
SUITES = [
    # The longest ones first.
    Suite("core", "services/core-api", tests=("tests", *(f"--ignore=tests/{app}" for app in MONEY)), needs="servers"),
    Suite("core-money", "services/core-api", tests=[f"tests/{app}" for app in MONEY], needs="servers"),
    Suite("e2e", ".", tests=("tests/e2e",), needs="demo"),
    Suite("browser", ".", tests=("tests/browser",), needs="demo"),
    Suite("schema", ".", tests=("-n3", "tests/schema"), needs="demo"),  # three at once: nginx makes odd logins wait
    Suite("chat", "services/chat-gateway", needs="servers"),
    Suite("stream", "services/stream-gateway", needs="servers"),
    LINT,
    Suite("embedded", ".", tests=("tests/embedded",)),
    Suite("core-sqlite", "services/core-api", tests=[f"tests/{path}" for path in ON_SQLITE], marked="not postgres"),
    Suite("contract", ".", tests=("tests/contract",), needs="servers"),
    Suite("nginx", ".", tests=("tests/faults/nginx",)),
    Suite("compose-files", ".", tests=("tests/compose",), marked="not compose"),
]


@dataclass
class Result:
    suite: Suite
    counts: Counter[str]
    seconds: float
    output: str
    skips: list[str]

    @property
    def failed(self) -> bool:
        return self.counts["failed"] > 0


def main(arguments: Sequence[str]) -> int:
    known = {suite.name: suite for suite in SUITES}
    names = [argument for argument in arguments if not argument.startswith("-")]
    if unknown := [name for name in names if name not in known]:
        print(f"no such suite: {', '.join(unknown)}. There are: {', '.join(known)}", file=sys.stderr)
        return 2
    marked = "long" if "--long" in arguments else "not long"
    chosen = [suite for suite in SUITES if suite.name in names or not names]
    if "--long" in arguments:
        chosen = [suite for suite in chosen if not suite.steps]
    began = time.monotonic()
    REPORTS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(max_workers=LANES) as lanes:
        results = [
            done for group in lanes.map(lambda group: run_group(group, marked), grouped(chosen)) for done in group
        ]
    return conclude(results, time.monotonic() - began)


def grouped(suites: Sequence[Suite]) -> list[list[Suite]]:
    """Each suite by itself, but for those that need a demo: they share one, since it takes a minute to start."""
    in_the_demo = [suite for suite in suites if suite.needs == "demo"]
    return [in_the_demo if suite in in_the_demo else [suite] for suite in suites if suite not in in_the_demo[1:]]


def conclude(results: Sequence[Result], seconds: float) -> int:
    total = sum((result.counts for result in results), Counter[str]())
    failed = [result.suite.name for result in results if result.failed]
    skips = [f"  {result.suite.name}: {skip}" for result in results for skip in result.skips]
    print("\n".join([f"\n{seconds:.0f} s in all", *(["skipped:", *skips] if skips else [])]))
    if failed:
        print(f"failed: {', '.join(failed)} (whole output: {REPORTS})")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if failed else 0


_printing = threading.Lock()


def run_group(suites: Sequence[Suite], marked: str) -> list[Result]:
    """Runs suites of the same needs one after the other in the same surroundings."""
    try:
        with surroundings(suites[0].needs) as variables:
            return [run(suite, variables, marked) for suite in suites]
    except (SystemExit, subprocess.SubprocessError, OSError) as error:
        why = f"could not be run: {error}\n"
        return [show(Result(suite, Counter(failed=1), 0, f"{suite.name} {why}", [])) for suite in suites]


def run(suite: Suite, variables: dict[str, str], marked: str) -> Result:
    began = time.monotonic()
    variables = suite.environment | variables
    result = run_steps(suite, variables) if suite.steps else run_pytest(suite, variables, marked)
    result.seconds = time.monotonic() - began
    return show(result)


def show(result: Result) -> Result:
    (REPORTS / f"{result.suite.name}.log").write_text(result.output)
    with _printing:
        print(report(result), flush=True)
    return result


def report(result: Result) -> str:
    """The suite's line and pytest's closing one; all of the output if something failed."""
    head = f"--- {result.suite.name:<14}{result.seconds:6.1f} s   {'FAILED' if result.failed else 'ok'}"
    if result.failed:
        return f"{result.output.rstrip()}\n{head}"
    closing = [line for line in result.output.splitlines() if re.match(r"=+ .*\bin [0-9.]+s", line)]
    return "\n".join([head, *closing[-1:]])


@contextmanager
def surroundings(needs: str) -> Iterator[dict[str, str]]:
    """What a suite's environment needs beyond the terminal's own."""
    with ExitStack() as ending:
        match needs:
            case "servers":
                yield ending.enter_context(servers())
            case "demo":
                yield ending.enter_context(demo())
            case _:
                yield {}


# All the people of the tests are on this machine, and its videos need not be small.
FOR_TESTS = {
    "LECTERN_REGISTRATIONS_PER_HOUR": "100000",
    "LECTERN_LOGIN_FAILURES_PER_ADDRESS": "100000",
    "LECTERN_ENCODING_PRESET": "superfast",
}


@contextmanager
def demo() -> Iterator[dict[str, str]]:
    """A demo in a folder and on a port of its own: a developer's keeps running beside it."""
    with tempfile.TemporaryDirectory(prefix="lectern-e2e-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # root's PostgreSQL runs as another account, which must be able to enter
        port = free_port()
        environment = os.environ | FOR_TESTS | {"LECTERN_STATE": folder, "LECTERN_PORT": str(port)}
        command = [sys.executable, "-m", "deploy.embedded.demo"]
        try:
            started = subprocess.run(
                [*command, "start"], cwd=REPOSITORY, env=environment, capture_output=True, text=True
            )
            if started.returncode:
                raise SystemExit(f"the demo did not start:\n{started.stdout}{started.stderr}")
            yield {
                "LECTERN_E2E_BASE_URL": f"http://127.0.0.1:{port}",
                "LECTERN_E2E_ACCOUNTS": f"{folder}/accounts.json",
            }
        finally:
            subprocess.run([*command, "stop"], cwd=REPOSITORY, env=environment, capture_output=True, check=False)


def run_steps(suite: Suite, variables: dict[str, str]) -> Result:
    counts: Counter[str] = Counter()
    output = ""
    for folder, command in suite.steps:
        done = _run(command, folder, variables)
        counts["failed" if done.returncode else "passed"] += 1
        output += f"$ {' '.join(command[1:])}\n{done.stdout}"
    return Result(suite, counts, 0, output, [])


def run_pytest(suite: Suite, variables: dict[str, str], marked: str) -> Result:
    file = REPORTS / f"{suite.name}.xml"
    file.unlink(missing_ok=True)
    marks = f"{marked} and {suite.marked}" if suite.marked else marked
    options = ("-m", marks, f"--timeout={TIMEOUT[marked]}", f"--junitxml={file}")
    done = _run([*PYTEST, *options, *suite.tests], suite.folder, variables)
    counts, skips = read_report(file)
    if done.returncode not in (0, 5) and not counts["failed"]:  # 5: no test is marked so
        counts["failed"] += 1
    return Result(suite, counts, 0, done.stdout, skips)


def read_report(file: Path) -> tuple[Counter[str], list[str]]:
    """The counts of pytest's report, and why each test that was skipped was."""
    counts: Counter[str] = Counter()
    skips: Counter[str] = Counter()
    if not file.exists():
        return counts, []
    for case in ElementTree.parse(file).iter("testcase"):  # noqa: S314  our own pytest wrote it a moment ago
        kinds = {child.tag for child in case}
        skipped = case.find("skipped")
        if kinds & {"failure", "error"}:
            counts["failed"] += 1
        elif skipped is not None:
            counts["skipped"] += 1
            skips[skipped.get("message", "")] += 1
        else:
            counts["passed"] += 1
    return counts, [f"{number}: {why}" for why, number in skips.items()]


def _run(command: Sequence[str], folder: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=REPOSITORY / folder,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
