"""Who gets through where: every route and method for every role, against tests/access/routes.csv."""

from __future__ import annotations

import uuid

import httpx
import pytest
from access import table
from access.table import Line
from conftest import Client
from test_contract import routes
from world import Lesson, Person, World

LINES = table.lines("stream")


async def test_the_table_names_every_route_with_its_permission(client: Client) -> None:
    declared = {
        (method, table.plain(route.path)): str((route.openapi_extra or {}).get("x-permission", "nobody"))
        for route in routes(client)
        for method in route.methods
    }
    assert table.differences("stream", declared) == []


def bearer(world: World, role: str) -> dict[str, str]:
    """The header of somebody with that role."""
    if role == "anonymous":
        return {}
    someone = world.person(role, *([] if role == "deactivated" else table.permissions_of(role)))
    if role == "deactivated":
        world.deactivate(someone)
    return someone.bearer


@pytest.mark.parametrize("role", [*table.NOBODY_KNOWN, *table.ROLES])
async def test_each_role_gets_through_where_the_table_says(client: Client, world: World, role: str) -> None:
    headers = bearer(world, role)
    for line in LINES:
        if line.through != "nobody":  # what nginx does not route; tests/e2e asks for it from outside
            status = (await ask(client, line, headers, str(uuid.uuid4()))).status_code
            assert line.accepts(role, status), f"{line.method} {line.route} answers {status}; the table: {line.through}"


@pytest.mark.parametrize(
    "line", [line for line in LINES if line.object], ids=lambda line: f"{line.method} {line.route}"
)
async def test_another_persons_object_is_not_there(
    client: Client, world: World, alice: Person, lesson: Lesson, line: Line
) -> None:
    owner, number = await OWNED[line.object](client, world, alice, lesson)
    for role in line.strangers:
        headers = bearer(world, role)
        foreign = await ask(client, line, headers, number)
        none = await ask(client, line, headers, str(uuid.uuid4()))
        assert (foreign.status_code, foreign.content) == (404, none.content), f"{role} can tell it from none"
    assert (await ask(client, line, owner.bearer, number)).status_code in (200, 204)


async def a_playback(client: Client, _world: World, alice: Person, lesson: Lesson) -> tuple[Person, str]:
    playback = str((await client.start(alice, lesson))["playback"])
    client.cookies.clear()  # the owner's cookie would open it
    return alice, playback


async def an_upload(client: Client, world: World, _alice: Person, _lesson: Lesson) -> tuple[Person, str]:
    ines = world.person("ines", "courses.manage")
    begun = await client.post("/stream/v1/uploads/", headers=ines.bearer | TUS | {"Content-Type": ""})
    return ines, begun.headers["location"].rpartition("/")[2]


OWNED = {"playback": a_playback, "upload": an_upload}
TUS = {"Tus-Resumable": "1.0.0", "Upload-Length": "1", "Upload-Offset": "0"}


async def ask(client: Client, line: Line, headers: dict[str, str], number: str) -> httpx.Response:
    path = table.filled(
        line.route,
        {"playback": number, "lesson": number, "upload": number, "attachment": number, "file": "master.m3u8"},
    )
    if "/uploads/" in path:
        chunk = {"Content-Type": "application/offset+octet-stream"} if line.method == "PATCH" else {}
        return await client.request(line.method, path, headers=headers | TUS | chunk)
    body = {"lesson": number} if line.method == "POST" else None
    return await client.request(line.method, path, json=body, headers=headers)
