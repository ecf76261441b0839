"""Throws odd requests at every documented route: no 5xx, no undocumented status, content type, header or shape.

schemathesis with all its checks, as somebody without an account, a learner and an admin, against a demo of its own: wrong
logins from one address would keep the other tests' people out. Always the same requests, so that nobody's change fails
by another's luck; `make test-long` asks more, and everything as everybody.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from e2e.people import Person, newcomer

HERE = Path(__file__).parent
DOCUMENTS = {"core": "/api/schema/", "stream": "/stream/v1/openapi.json", "chat": "/chat/v1/openapi.json"}
# They end the login that everything else is asked with: `test_leaving` asks them as somebody who has nothing else to do.
ENDING = ("/auth/logout-everywhere/", "/auth/password/change/", "/me/sessions/{session}/", "DELETE /api/v1/me/")
# In `make test` each person is asked about what they are the first to get through to.
FIRST = {
    "anonymous": lambda permission: permission == "public" or "nobody" in permission,
    "learner": lambda permission: "authenticated" in permission and "nobody" not in permission,
    "admin": lambda permission: permission != "public" and "authenticated" not in permission,
}
# Chat has no route for everybody but its own documents.
ASKED = [
    ("anonymous", "core"),
    ("learner", "core"),
    ("admin", "core"),
    ("anonymous", "stream"),
    ("learner", "stream"),
    ("admin", "stream"),
]
ASKED += [("learner", "chat"), ("admin", "chat")]


@pytest.fixture(scope="session")
def tokens(base_url: str, accounts: dict[str, dict[str, str]]) -> Iterator[dict[str, str]]:
    """Made before anybody is asked anything: afterwards registering and logging in may have to wait."""
    admin = Person(base_url, accounts["admin"]["username"], accounts["admin"]["password"])
    admin.log_in()
    people = {"learner": newcomer(base_url), "leaver": newcomer(base_url), "admin": admin}
    yield {"anonymous": ""} | {who: person.access for who, person in people.items()}
    for person in people.values():
        person.close()


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("who", "service"), ASKED)
def test_odd_requests(base_url: str, tokens: dict[str, str], who: str, service: str) -> None:
    names = operations(base_url, service, FIRST[who])
    ask(base_url, service, tokens[who], [name for name in names if not name.endswith(ENDING)], examples=3)


@pytest.mark.timeout(400)
def test_leaving(base_url: str, tokens: dict[str, str]) -> None:
    names = [name for name in operations(base_url, "core") if name.endswith(ENDING)]
    assert len(names) == len(ENDING)
    ask(base_url, "core", tokens["leaver"], names, examples=3)


@pytest.mark.long
@pytest.mark.parametrize("service", DOCUMENTS)
@pytest.mark.parametrize("who", FIRST)
def test_many_odd_requests(base_url: str, tokens: dict[str, str], who: str, service: str) -> None:
    names = [name for name in operations(base_url, service) if not name.endswith(ENDING)]
    ask(base_url, service, tokens[who], names, examples=60)


def operations(base_url: str, service: str, chosen: Callable[[str], bool] = lambda permission: True) -> list[str]:
    """Those whose permission is chosen, as "GET /path/"."""
    paths = httpx.get(base_url + DOCUMENTS[service], timeout=30).json()["paths"]
    return [
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method, operation in methods.items()
        if chosen(operation["x-permission"])
    ]


def ask(base_url: str, service: str, token: str, names: Sequence[str], *, examples: int) -> None:
    """Asks with all checks; fails with schemathesis' own report, which has a curl line for each finding."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"]
    command += [base_url + DOCUMENTS[service], f"--max-examples={examples}"]
    command += [f"--include-name={name}" for name in names]
    command += ["--header", f"Authorization: Bearer {token}"] if token else []
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE), "NO_COLOR": "1"}
    done = subprocess.run(command, env=environment, cwd=HERE, capture_output=True, text=True)
    report = re.sub(r"(.)\1{80,}", r"\1…", done.stdout)  # long texts of one letter hide what is wrong with them
    assert done.returncode == 0, f"{report[-12_000:]}{done.stderr[-2000:]}"
