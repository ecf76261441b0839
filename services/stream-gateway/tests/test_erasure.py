"""Whom core-api has erased is erased here: by the notification, by the sweep, and what was starting to play meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
from conftest import Client, Databases, Open, code, refused_within_a_second, until
from world import Lesson, Person, World

from stream_gateway.access import Package, Start
from stream_gateway.erasure import erase_pending
from stream_gateway.sessions import Client as Whence
from stream_gateway.sessions import open_session
from stream_gateway.verifier import Claims

AT_ONCE = timedelta(0)  # what people were starting is settled: the pass is the last one


def traces(owner: Any, person: Person) -> list[Any]:
    """Where and with what somebody watched, and whether it is over."""
    rows: list[Any] = owner.execute(
        "SELECT host(client_address), user_agent, end_reason FROM stream.playback_session WHERE user_id = %s",
        [person.id],
    ).fetchall()
    return rows


def gone(owner: Any, person: Person) -> Callable[[], bool]:
    return lambda: traces(owner, person) == [(None, "", "access_ended")]


async def test_an_erased_person_is_refused_at_once_and_leaves_no_trace(
    client: Client, alice: Person, lesson: Lesson, world: World, owner: Any
) -> None:
    started = await client.start(alice, lesson, **{"User-Agent": "Alice's phone"})
    assert traces(owner, alice)[0][1:] == ("Alice's phone", None)
    world.erase(alice)
    await refused_within_a_second(lambda: client.get(started["manifest_url"]), (403, "access_ended"))
    await until(gone(owner, alice), 3)
    assert code(await client.post_playback(lesson, alice)) == (401, "token_invalid")


async def test_the_sweep_makes_up_for_a_lost_notification(
    open_gateway: Open, alice: Person, lesson: Lesson, world: World, owner: Any
) -> None:
    async with open_gateway(LECTERN_ERASURE_SWEEP=0.2) as client:
        await client.start(alice, lesson)
        world.run("UPDATE core.principal SET erased_at = now() WHERE user_id = %s", alice.id)
        await until(gone(owner, alice), 5)


async def test_whoever_was_erased_while_no_gateway_ran_is_erased_at_its_start(
    open_gateway: Open, alice: Person, lesson: Lesson, world: World, owner: Any
) -> None:
    async with open_gateway() as client:
        await client.start(alice, lesson)
    world.erase(alice)
    async with open_gateway(LECTERN_ERASURE_SWEEP=3600):
        await until(gone(owner, alice), 3)


async def test_a_session_that_was_being_opened_does_not_survive_the_second_pass(
    client: Client, alice: Person, lesson: Lesson, world: World, owner: Any
) -> None:
    world.run("UPDATE core.principal SET erased_at = now() WHERE user_id = %s", alice.id)
    await erase_pending(client.gateway.database)
    start = Start("entitled", lesson.id, Package(lesson.package, lesson.path, 10.5), None)
    claims = Claims(alice.id, alice.name, 0, alice.login, 0)
    await open_session(client.gateway.database, start, claims, Whence("198.51.100.7", "Alice's phone"), 2)
    await erase_pending(client.gateway.database, AT_ONCE)
    assert gone(owner, alice)()
    assert owner.execute("SELECT settled FROM stream.erasure WHERE user_id = %s", [alice.id]).fetchone() == (True,)


async def test_several_processes_at_once_do_no_harm_and_others_are_left_alone(
    client: Client, alice: Person, lesson: Lesson, world: World, owner: Any
) -> None:
    bob = world.person("bob")
    world.enrol(bob, lesson)
    await client.start(alice, lesson)
    await client.start(bob, lesson)
    world.erase(alice)
    await asyncio.gather(*(erase_pending(client.gateway.database, AT_ONCE) for _ in range(4)))
    assert gone(owner, alice)()
    assert traces(owner, bob)[0][0] == "127.0.0.1"


async def test_core_still_reads_the_sessions(
    client: Client, databases: Databases, alice: Person, lesson: Lesson, world: World
) -> None:
    await client.start(alice, lesson)
    world.erase(alice)
    await erase_pending(client.gateway.database)
    with psycopg.connect(databases.url("core")) as core:
        row = core.execute(
            "SELECT client_address, user_agent, end_reason FROM stream_published.playback_session WHERE user_id = %s",
            [alice.id],
        ).fetchone()
    assert row == (None, "", "access_ended")
