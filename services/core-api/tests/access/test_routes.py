"""Who gets through where: every route and method for every role, against tests/access/routes.csv."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest
from access import table
from access.table import Line
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import User
from config.permissions import label_of
from tests.access.objects import BODIES, MAKERS
from tests.conftest import Api, person

INTERNAL = "internal"  # nginx does not route it; tests/e2e asks for it from outside
LINES = table.lines("core")


def declared(resolver: URLResolver, prefix: str = "/") -> Iterator[tuple[tuple[str, str], str]]:
    """((method, route), permission) of every route, the admin site's apart (admin.csv)."""
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            if path != "/admin/":
                yield from declared(entry, path)
        elif "(?:" not in path:  # all other addresses are 404
            for method, label in labels(entry):
                yield (method, table.plain(path)), label


def labels(entry: URLPattern) -> Iterator[tuple[str, str]]:
    view: Any = entry.callback
    if hasattr(view, "cls"):
        made = view.cls(**view.initkwargs)
        for method in made.http_method_names:
            if hasattr(made, method) and method not in ("head", "options"):
                yield method.upper(), label_of(made, method.upper())
    else:
        yield "GET", getattr(view, "permission_label", "nobody")


def test_the_table_names_every_route_with_its_permission() -> None:
    assert table.differences("core", dict(declared(get_resolver()))) == []


@pytest.fixture
def clients(db: None) -> dict[str, Client]:
    """{role: a client with that person's token}, and those without a good one."""
    api = Api()
    made = {role: api.as_(_person_with(role)) for role in table.ROLES}
    gone = person("gone")
    made |= {"anonymous": api, "deactivated": api.as_(gone)}
    User.objects.filter(pk=gone.pk).update(is_active=False)
    return made


def _person_with(role: str) -> User:
    groups = [] if role == "learner" else [role]
    return person(f"some-{role.replace('_', '-')}", *groups, is_superuser=role == "admin", is_staff=role == "admin")


@pytest.mark.parametrize("role", [*table.NOBODY_KNOWN, *table.ROLES])
def test_each_role_gets_through_where_the_table_says(clients: dict[str, Client], role: str) -> None:
    wrong = []
    for line in LINES:
        if line.permission != INTERNAL:
            status = ask(clients[role], line, unknown(line)).status_code
            if not line.accepts(role, status):
                wrong.append(f"{line.method} {line.route} answers {status} to {role}; the table says: {line.through}")
    assert wrong == []


@pytest.mark.parametrize(
    "line", [line for line in LINES if line.object], ids=lambda line: f"{line.method} {line.route}"
)
def test_another_persons_object_is_not_there(clients: dict[str, Client], line: Line) -> None:
    made = MAKERS[line.object]()
    for role in line.strangers:
        foreign = ask(clients[role], line, unknown(line) | made.ids)
        none = ask(clients[role], line, unknown(line))
        assert (foreign.status_code, foreign.content) == (404, none.content), f"{role} can tell it from none"
    owner = ask(Api().as_(made.owner), line, unknown(line) | made.ids)
    assert owner.status_code not in (401, 403, 404), f"not even its owner finds it: {owner.content!r}"


def ask(client: Client, line: Line, values: dict[str, str]) -> Any:
    """The answer to a request whose effects are taken back."""
    savepoint = transaction.savepoint()  # not atomic(): a view may insist on a transaction of its own
    try:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        body = BODIES.get((line.method, line.route), "{}")
        path = table.filled(line.route, values)
        answer = client.generic(line.method, path, body, content_type="application/json", headers=headers)
        if answer.streaming:
            deque(answer.streaming_content, maxlen=0)  # the file of an export is closed at its end
        return answer
    finally:
        transaction.savepoint_rollback(savepoint)


def unknown(line: Line) -> dict[str, str]:
    """For each part of the path something that nobody has; the first letters of a UUID are a good slug."""
    return dict.fromkeys(["slug", "provider", "reference", "language", "code"], "unheard-of") | dict.fromkeys(
        [
            name
            for name in ("pk", "user", "section", "lesson", "attachment", "session", "ticket")
            if f"{{{name}}}" in line.route
        ],
        str(uuid.uuid4()),
    )
