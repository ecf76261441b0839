"""How PostgreSQL goes about what is asked of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from conftest import Client
from world import Lesson, Person, World

from stream_gateway.database import Database

SEGMENT = "video-360-00001.m4s"


async def test_plans_made_while_the_tables_are_small_serve_them_when_they_have_grown(
    client: Client, alice: Person, lesson: Lesson
) -> None:
    """They are kept with their connection: one that reads all of a table makes each segment dearer than the one before."""
    for _ in range(3):
        started = await client.start(alice, lesson)
        address = started["manifest_url"].replace("master.m3u8", SEGMENT)
        assert (await client.get(address)).status_code == 200
    assert (await client.delete(f"/stream/v1/p/{started['playback']}")).status_code == 204
    nodes = [node async for plan in plans(client.gateway.database) for node in inside(plan)]
    ours = [node for node in nodes if node.get("Schema") == "stream"]  # core's are stand-ins here, without indexes
    assert "playback_session" in {node["Relation Name"] for node in ours}
    assert [node for node in ours if node["Node Type"] == "Seq Scan"] == []
    assert [node for node in nodes if node["Node Type"] in ("Hash Join", "Merge Join")] == []


async def test_an_addresss_previews_are_counted_without_reading_everybodys(client: Client, world: World) -> None:
    assert (await client.post_playback(world.lesson(is_preview=True))).status_code == 201
    nodes = [node async for plan in plans(client.gateway.database) for node in inside(plan)]
    (counted,) = [node for node in nodes if node.get("Index Name") == "playback_session_of_address"]
    assert "client_address >= " in counted["Index Cond"]


async def plans(database: Database) -> AsyncIterator[dict[str, Any]]:
    """Those that its connections have kept."""
    for connection in list(database._pool._pool):
        kept = await connection.execute(
            "SELECT name, cardinality(parameter_types) AS number FROM pg_prepared_statements"
        )
        for row in await kept.fetchall():
            values = f"({', '.join(['NULL'] * row['number'])})" if row["number"] else ""
            execute = f"EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE {row['name']}{values}"
            explained = await (await connection.execute(execute, prepare=False)).fetchone()
            assert explained is not None
            for one in explained["QUERY PLAN"]:  # none for a BEGIN
                yield one["Plan"]


def inside(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from inside(each)
