"""What an app holds about one person, as a file of their export. Each app's queries.py has a `held_about(user)`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

CHUNK = 1_000  # rows held in memory at once


@dataclass(frozen=True)
class Section:
    """One JSON file: a list of objects. `rows` are asked for when the file is written, and need not fit into memory."""

    name: str  # of the file, without its ending
    about: str  # a sentence for the person
    rows: Iterable[Mapping[str, Any]]
    models: tuple[str, ...] = ()  # `app.Model` of what the rows show; a test finds out what nobody shows


@dataclass(frozen=True)
class Missing:
    """What could not be asked now: said in the export instead of left out in silence."""

    part: str
    why: str


def rows(found: QuerySet[Any], *fields: str, **renamed: str) -> Iterator[dict[str, Any]]:
    """Those fields of each row, lazily; `course="course__slug"` calls a field of another table `course`."""
    names = [*fields, *renamed]
    for values in found.values_list(*fields, *renamed.values()).iterator(chunk_size=CHUNK):
        yield dict(zip(names, values, strict=True))
