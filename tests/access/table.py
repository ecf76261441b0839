"""Reads routes.csv and admin.csv: who gets through where. Each service's own tests walk its routes against them."""

from __future__ import annotations

import csv
import re
import runpy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROLES = ("learner", "instructor", "course_manager", "support_agent", "support_lead", "finance", "admin")
NOBODY_KNOWN = ("anonymous", "deactivated")  # no token; a token from before the deactivation


@dataclass(frozen=True)
class Line:
    """One route and method. `through`: "everyone", or the roles that are not refused; `object`: whose id stands in the
    path ("" if none); `strangers`: the roles that get through and yet find only objects of their own there."""

    service: str
    method: str
    route: str
    permission: str
    through: str
    object: str
    strangers: tuple[str, ...]

    def lets_through(self, role: str) -> bool:
        return self.through == "everyone" or role in _roles(self.through)

    def accepts(self, role: str, status: int) -> bool:
        """Whether `status` fits: 401 for who is nobody known, 403 for who may not, anything else for who gets through."""
        if role == "deactivated" and self.through == "everyone":
            return (
                status != 403 and status < 500
            )  # an old token is no better than none, and may be refused as a bad one
        if self.through == "nobody":  # pages of the admin site send people to its login
            return status in (302, 401, 403)
        if self.lets_through(role):
            return status not in (401, 403) and status < 500
        return status == (401 if role in NOBODY_KNOWN else 403)


def lines(service: str) -> list[Line]:
    rows = (row for row in _rows("routes.csv") if row["service"] == service)
    return [Line(**row | {"strangers": _roles(row["strangers"])}) for row in rows]


def differences(service: str, declared: Mapping[tuple[str, str], str]) -> list[str]:
    """What the table and the code say differently, in sentences. `declared`: {(method, route): permission}."""
    table = {(line.method, line.route): line.permission for line in lines(service)}
    found = [
        f"{method} {route} is not in tests/access/routes.csv: add the line "
        f'"{service},{method},{route},{permission},<who>,<object>,<strangers>".'
        for (method, route), permission in declared.items()
        if (method, route) not in table
    ]
    found += [
        f"{method} {route} stands in tests/access/routes.csv, but {service} has no such route: delete its line."
        for method, route in table
        if (method, route) not in declared
    ]
    return found + [
        f'{method} {route} declares "{declared[method, route]}"; tests/access/routes.csv says "{permission}".'
        for (method, route), permission in table.items()
        if declared.get((method, route), permission) != permission
    ]


def admin_lines() -> list[dict[str, str]]:
    """{model, view, add, change, delete}, each but the first the roles that may."""
    return list(_rows("admin.csv"))


def permissions_of(role: str) -> list[str]:
    """What core-api gives that role at first, for the services that only read it."""
    names = runpy.run_path(str(HERE.parents[1] / "services" / "core-api" / "accounts" / "roles.py"))["ROLES"]
    everything = {name for given in names.values() for name in given}
    return sorted(everything) if role == "admin" else list(names[role])


def plain(route: str) -> str:
    """A route as the table writes it: Django's `<uuid:pk>` and Starlette's `{file:path}` are `{pk}` and `{file}`."""
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route))


def filled(route: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], route)


def _roles(text: str) -> tuple[str, ...]:
    return ROLES if text == "people" else tuple(text.split())


def _rows(name: str) -> Iterable[dict[str, str]]:
    with (HERE / name).open() as file:
        yield from csv.DictReader(line for line in file if not line.startswith("#"))
