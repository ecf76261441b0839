"""What players draw over the picture, and that a code read off a recording finds whose it was."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from conftest import Client, Databases, code
from world import Lesson, Person, World

CODE = re.compile(r"(?:[0-9A-HJKMNP-TV-Z]{4}-){2}[0-9A-HJKMNP-TV-Z]{4}")


@pytest.fixture
def admin(databases: Databases) -> Any:
    with psycopg.connect(databases.url("core"), autocommit=True) as connection:
        yield lambda typed: connection.execute(
            "SELECT playback_id::text, shown_from, shown_until FROM stream_published.watermark_owner(%s)", [typed]
        ).fetchone()


def older(owner: Any, started: dict[str, Any], minutes: float) -> None:
    owner.execute(
        "UPDATE stream.playback_session SET started_at = started_at - %s * interval '1 minute' WHERE id = %s",
        [minutes, started["playback"]],
    )


async def test_the_player_is_told_what_to_draw_and_until_when(client: Client, alice: Person, lesson: Lesson) -> None:
    started = await client.start(alice, lesson)
    mark = started["watermark"]
    assert CODE.fullmatch(mark["code"])
    assert mark["text"] == f"alice · {mark['code']}"
    until = datetime.fromisoformat(mark["valid_until"]) - datetime.now(UTC)
    assert timedelta(minutes=4) < until <= timedelta(minutes=5)
    answer = await client.get(mark["url"])
    assert (answer.status_code, answer.json()) == (200, mark)
    assert answer.headers["cache-control"] == "private, no-store"


async def test_it_is_another_one_every_five_minutes(client: Client, alice: Person, lesson: Lesson, owner: Any) -> None:
    started = await client.start(alice, lesson)
    codes = {started["watermark"]["code"]}
    for _ in range(3):
        older(owner, started, 5)
        codes.add((await client.get(started["watermark"]["url"])).json()["code"])
    assert len({code[:4] for code in codes}) == 4  # also the first characters follow no pattern


async def test_the_code_finds_the_playback_and_the_minutes(
    client: Client, alice: Person, lesson: Lesson, owner: Any, admin: Any
) -> None:
    started = await client.start(alice, lesson)
    older(owner, started, 11 * 60 + 58)  # minutes before its end, 12 hours
    mark = (await client.get(started["watermark"]["url"])).json()
    for typed in (mark["code"], mark["code"].replace("-", "").lower(), f" {mark['code'].replace('0', 'O')} "):
        playback, shown_from, shown_until = admin(typed)
        assert playback == started["playback"]
        assert shown_until - shown_from == timedelta(minutes=5)
        assert shown_until.strftime("%Y-%m-%dT%H:%M:%SZ") == mark["valid_until"]


async def test_a_code_that_was_made_up_or_misread_names_nobody(
    client: Client, alice: Person, lesson: Lesson, admin: Any
) -> None:
    real = (await client.start(alice, lesson))["watermark"]["code"]
    letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    misread = [
        real[:place] + letters[(letters.index(real[place]) + 1) % 32] + real[place + 1 :] for place in (0, 6, 13)
    ]
    for typed in [
        *misread,
        "",
        "0",
        "0000-0000-0000",
        "ZZZZ-ZZZZ-ZZZZ",
        real + "0",
        "UUUU-UUUU-UUUU",
        "'; DROP",
        "é" * 12,
    ]:
        assert admin(typed) is None, typed


async def test_it_is_for_the_viewer_alone_and_ends_with_the_access(
    client: Client, alice: Person, lesson: Lesson, world: World
) -> None:
    url = (await client.start(alice, lesson))["watermark"]["url"]
    cookie = {"Cookie": f"lectern_playback={client.cookies['lectern_playback']}"}
    client.cookies.clear()
    assert code(await client.get(url)) == (401, "not_authenticated")
    assert code(await client.get(url, headers=world.person("bob").bearer)) == (404, "not_found")
    assert (await client.get(url, headers=alice.bearer)).status_code == 200
    world.refund(alice)
    client.gateway.playing.drop_all()
    assert code(await client.get(url, headers=cookie)) == (403, "access_ended")


async def test_a_previews_watermark_has_no_name(client: Client, world: World) -> None:
    answer = await client.post_playback(world.lesson(is_preview=True), **{"X-Forwarded-For": "203.0.113.77"})
    assert answer.json()["watermark"]["text"].startswith("Preview · ")


async def test_the_secret_is_nobodys_to_read(databases: Databases) -> None:
    for role, statement in (
        ("stream", "SELECT * FROM stream.watermark_key"),
        ("stream", "SELECT stream.watermark_hash('signature', 1)"),
        ("core", "SELECT stream.watermark_code(1, 1)"),
    ):
        with psycopg.connect(databases.url(role)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
