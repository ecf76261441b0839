"""Reads deploy/contracts.md: what it says is what the tests expect."""

from __future__ import annotations

import re
from pathlib import Path

CONTRACTS = (Path(__file__).resolve().parents[2] / "deploy" / "contracts.md").read_text()
TYPES = {"bool": "boolean", "int": "integer", "timestamptz": "timestamp with time zone"}


def views(schema: str) -> dict[str, dict[str, str]]:
    """The documented views of `schema`: {view: {column: PostgreSQL type}}."""
    section = CONTRACTS.split(f"### `{schema}`", 1)[1].split("\n### ", 1)[0].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (?:view )?`(\w+)` \| (.+?) \|$", section, re.MULTILINE)
    return {name: columns(re.findall(r"`([^`]+)`", shape)[0]) for name, shape in rows}


def functions(schema: str) -> dict[str, tuple[str, str]]:
    """The documented functions of `schema`: {name: (arguments, result)} as PostgreSQL writes them."""
    section = CONTRACTS.split(f"### `{schema}`", 1)[1].split("\n### ", 1)[0].split("\n## ", 1)[0]
    found = re.findall(r"^\| function `(\w+)\((.*?)\) returns (.+?)` \|", section, re.MULTILINE)
    return {name: (arguments, _result(result)) for name, arguments, result in found}


def caller(schema: str, function: str) -> str | None:
    """The one service that may call it, where the document says `(to `lectern_chat` alone)`; else whoever reads the views."""
    section = CONTRACTS.split(f"### `{schema}`", 1)[1].split("\n### ", 1)[0].split("\n## ", 1)[0]
    told = re.search(rf"^\| function `{function}\(.*` \| \(to `lectern_(\w+)` alone\)", section, re.MULTILINE)
    return told and told[1]


def _result(result: str) -> str:
    return TYPES.get(result, result.replace("table (", "TABLE("))


def columns(shape: str) -> dict[str, str]:
    """`a uuid, b text (note), c, d timestamptz` → names and types; a name without a type shares the next one's."""
    found: dict[str, str] = {}
    waiting: list[str] = []
    for part in re.sub(r"\([^)]*\)", "", shape).split(","):
        name, _, kind = part.strip().partition(" ")
        waiting.append(name)
        if kind:
            kind = kind.strip()
            found |= dict.fromkeys(waiting, TYPES.get(kind, kind.replace("int[]", "integer[]")))
            waiting = []
    return found
