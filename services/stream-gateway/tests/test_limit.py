"""At most so many sessions of one learner play at once."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from conftest import Client, Open, code, refused_within_a_second
from world import Lesson, Person, World

from stream_gateway.access import Package, Start
from stream_gateway.sessions import Client as Whence
from stream_gateway.sessions import open_session
from stream_gateway.verifier import Claims

SOMEWHERE = Whence("127.0.0.1", "tests")


def playing(owner: Any, person: Person) -> int:
    (count,) = owner.execute(
        "SELECT count(*) FROM stream.playback_session WHERE user_id = %s AND ended_at IS NULL", [person.id]
    ).fetchone()
    return int(count)


async def test_a_third_start_ends_the_session_idle_for_longest(
    client: Client, alice: Person, lesson: Lesson, owner: Any
) -> None:
    first, second = await client.start(alice, lesson), await client.start(alice, lesson)
    for started in (first, second):
        assert (await client.get(started["manifest_url"])).status_code == 200
    await client.gateway.last_seen.settle()
    owner.execute(
        "UPDATE stream.playback_session SET last_seen_at = now() - interval '5 minutes' WHERE id = %s",
        [second["playback"]],
    )
    third = await client.start(alice, lesson)
    assert code(await client.get(second["manifest_url"])) == (409, "playback_superseded")
    assert (await client.get(first["manifest_url"])).status_code == 200
    assert (await client.get(third["manifest_url"])).status_code == 200


async def test_another_worker_refuses_it_as_well(
    client: Client, open_gateway: Open, alice: Person, lesson: Lesson
) -> None:
    async with open_gateway() as other:
        first = await client.start(alice, lesson)
        other.cookies = client.cookies
        assert (await other.get(first["manifest_url"])).status_code == 200
        await client.start(alice, lesson)
        await client.start(alice, lesson)
        await refused_within_a_second(lambda: other.get(first["manifest_url"]), (409, "playback_superseded"))


async def test_one_learners_sessions_do_not_end_anothers(
    client: Client, alice: Person, lesson: Lesson, world: World
) -> None:
    bob = world.person("bob")
    world.enrol(bob, lesson)
    bobs = await client.start(bob, lesson)
    for _ in range(3):
        await client.start(alice, lesson)
    assert (await client.get(bobs["manifest_url"])).status_code == 200


async def test_ended_and_forgotten_sessions_do_not_count(
    client: Client, alice: Person, lesson: Lesson, owner: Any
) -> None:
    kept, ended, forgotten = [await client.start(alice, lesson) for _ in range(2)] + [None]
    await client.delete(f"/stream/v1/p/{ended['playback']}")
    forgotten = await client.start(alice, lesson)
    owner.execute("UPDATE stream.playback_session SET over_at = now() WHERE id = %s", [forgotten["playback"]])
    await client.start(alice, lesson)
    assert (await client.get(kept["manifest_url"])).status_code == 200
    reasons = owner.execute(
        "SELECT end_reason FROM stream.playback_session WHERE id = ANY (%s::uuid[]) ORDER BY id",
        [[ended["playback"], forgotten["playback"]]],
    )
    assert reasons.fetchall() == [("viewer",), ("idle",)]


async def test_the_limit_is_a_setting(open_gateway: Open, alice: Person, lesson: Lesson, owner: Any) -> None:
    async with open_gateway(LECTERN_STREAM_LIMIT=1) as client:
        first = await client.start(alice, lesson)
        await client.start(alice, lesson)
        assert code(await client.get(first["manifest_url"])) == (409, "playback_superseded")
        assert playing(owner, alice) == 1


async def test_parallel_starts_never_exceed_it(client: Client, world: World, lesson: Lesson, owner: Any) -> None:
    """Counted and inserted without a lock, 56 of 60 such rounds went over."""
    package = Package(lesson.package, lesson.path, 10.5)
    for _ in range(60):
        alice = Person("alice", world.keys)
        claims = Claims(alice.id, "alice", 0, alice.login, 0)
        start = Start("entitled", lesson.id, package, None)
        opening = (open_session(client.gateway.database, start, claims, SOMEWHERE, 2) for _ in range(6))
        assert len({opened.id for opened in await asyncio.gather(*opening)}) == 6
        assert playing(owner, alice) == 2


async def test_the_progressive_video_is_one_session_however_often_it_is_asked_for(
    client: Client, alice: Person, lesson: Lesson, owner: Any
) -> None:
    address = f"/stream/v1/lessons/{lesson.id}/video"
    answers = await asyncio.gather(*(client.get(address, headers=alice.bearer) for _ in range(6)))
    answers.append(await client.head(address, headers=alice.bearer))
    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["x-accel-redirect"] == f"/_media/{lesson.path}/progressive.mp4"
        assert answer.headers["x-accel-limit-rate"] == "1000000"
        assert answer.headers["content-type"] == "video/mp4"
    assert playing(owner, alice) == 1


async def test_the_progressive_video_needs_a_token_and_an_enrolment(
    client: Client, alice: Person, lesson: Lesson, world: World
) -> None:
    address = f"/stream/v1/lessons/{lesson.id}/video"
    started = await client.start(alice, lesson)
    assert code(await client.get(address)) == (401, "not_authenticated")
    assert code(await client.get(address, headers={"Cookie": f"lectern_playback={started['playback']}"}))[0] == 401
    bob = world.person("bob")
    assert code(await client.get(address, headers=bob.bearer)) == (403, "not_enrolled")
    free = world.lesson(is_preview=True)
    assert code(await client.get(f"/stream/v1/lessons/{free.id}/video", headers=bob.bearer)) == (403, "not_enrolled")
    for made_up in ("00000000-0000-0000-0000-000000000000", "1"):
        answer = await client.get(f"/stream/v1/lessons/{made_up}/video", headers=bob.bearer)
        assert code(answer) == (404, "not_found")


async def test_a_refund_stops_the_progressive_video(
    client: Client, alice: Person, lesson: Lesson, world: World
) -> None:
    address = f"/stream/v1/lessons/{lesson.id}/video"
    assert (await client.get(address, headers=alice.bearer)).status_code == 200
    world.refund(alice)
    await refused_within_a_second(lambda: client.get(address, headers=alice.bearer), (403, "not_enrolled"))


@pytest.mark.parametrize("by", ["another start", "an admin"])
async def test_a_progressive_player_whose_session_was_ended_is_told_so_for_a_minute(
    client: Client, alice: Person, lesson: Lesson, owner: Any, databases: Any, by: str
) -> None:
    """It asks by itself for the next part of its file, again and again: that is no wish to start anew."""
    address = f"/stream/v1/lessons/{lesson.id}/video"
    assert (await client.get(address, headers=alice.bearer)).status_code == 200
    if by == "an admin":
        (playback,) = owner.execute("SELECT id FROM stream.playback_session WHERE user_id = %s", [alice.id]).fetchone()
        with psycopg.connect(databases.url("core"), autocommit=True) as admin:
            assert admin.execute("SELECT stream_published.end_playback(%s)", [playback]).fetchone() == (True,)
        told = (403, "access_ended")
        await refused_within_a_second(lambda: client.get(address, headers=alice.bearer), told)
    else:
        for _ in range(2):
            await client.start(alice, lesson)
        told = (409, "playback_superseded")
    assert code(await client.get(address, headers=alice.bearer)) == told
    owner.execute(
        "UPDATE stream.playback_session SET ended_at = now() - interval '2 minutes' WHERE user_id = %s AND kind = 'progressive'",
        [alice.id],
    )
    assert (await client.get(address, headers=alice.bearer)).status_code == 200


async def test_a_progressive_player_keeps_its_file_while_the_video_is_replaced(
    client: Client, alice: Person, lesson: Lesson, world: World
) -> None:
    address = f"/stream/v1/lessons/{lesson.id}/video"
    await client.get(address, headers=alice.bearer)
    world.replace_video(lesson)
    client.gateway.playing.drop_all()
    answer = await client.get(address, headers=alice.bearer)
    assert lesson.path in answer.headers["x-accel-redirect"]


async def test_the_rate_follows_a_long_videos_bitrate(client: Client, world: World) -> None:
    alice, lesson = world.person("alice"), world.lesson()
    world.enrol(alice, lesson)
    with (world.media_root / lesson.path / "progressive.mp4").open("wb") as file:
        file.truncate(10_500_000)  # 10.5 s
    answer = await client.get(f"/stream/v1/lessons/{lesson.id}/video", headers=alice.bearer)
    assert answer.headers["x-accel-limit-rate"] == "4000000"


class TestPreviews:
    async def test_anybody_watches_a_free_preview_with_its_cookie_alone(self, client: Client, world: World) -> None:
        lesson, bob = world.lesson(is_preview=True), world.person("bob")
        answer = await client.post_playback(lesson, **{"X-Forwarded-For": "203.0.113.1"})
        assert answer.status_code == 201
        assert "Max-Age=7199" in answer.headers["set-cookie"] or "Max-Age=7200" in answer.headers["set-cookie"]
        address = answer.json()["manifest_url"]
        assert (await client.get(address)).status_code == 200
        client.cookies.clear()
        assert code(await client.get(address)) == (401, "not_authenticated")
        assert code(await client.get(address, headers=bob.bearer)) == (404, "not_found")

    async def test_so_does_somebody_who_is_logged_in(self, client: Client, world: World, owner: Any) -> None:
        lesson, bob = world.lesson(is_preview=True), world.person("bob")
        started = await client.start(bob, lesson, **{"X-Forwarded-For": "203.0.113.2"})
        assert (await client.get(started["manifest_url"])).status_code == 200
        row = owner.execute("SELECT kind, user_id FROM stream.playback_session WHERE id = %s", [started["playback"]])
        assert row.fetchone() == ("preview", None)

    async def test_it_stops_when_the_lesson_is_no_preview_any_more(self, client: Client, world: World) -> None:
        lesson = world.lesson(is_preview=True)
        answer = await client.post_playback(lesson, **{"X-Forwarded-For": "203.0.113.3"})
        address = answer.json()["manifest_url"]
        assert (await client.get(address)).status_code == 200
        world.no_longer_a_preview(lesson)
        await refused_within_a_second(lambda: client.get(address), (403, "access_ended"))

    async def test_an_unpublished_preview_is_not_open(self, client: Client, world: World) -> None:
        lesson, bob = world.lesson(is_preview=True, is_published=False), world.person("bob")
        assert code(await client.post_playback(lesson)) == (401, "not_authenticated")
        assert code(await client.post_playback(lesson, bob)) == (404, "not_found")

    @pytest.mark.parametrize(
        ("addresses", "stranger"),
        [
            (["198.51.100.7"] * 10, "198.51.100.8"),
            ([f"2001:db8:1:2::{number:x}" for number in range(10)], "2001:db8:1:3::1"),
            (["::ffff:198.51.100.9", "198.51.100.9"] * 5, "::ffff:198.51.100.10"),  # as a proxy on both kinds says it
        ],
    )
    async def test_an_address_starts_ten_in_ten_minutes(
        self, client: Client, world: World, owner: Any, addresses: list[str], stranger: str
    ) -> None:
        lesson = world.lesson(is_preview=True)
        starts = [client.post_playback(lesson, **{"X-Forwarded-For": address}) for address in [*addresses, *addresses]]
        answers = await asyncio.gather(*starts)
        assert sorted(answer.status_code for answer in answers) == [201] * 10 + [429] * 10
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert code(refused) == (429, "too_many_requests")
        assert refused.headers["retry-after"] == "600"
        assert (await client.post_playback(lesson, **{"X-Forwarded-For": stranger})).status_code == 201
        owner.execute(
            "UPDATE stream.playback_session SET started_at = started_at - interval '11 minutes' WHERE lesson_id = %s",
            [lesson.id],
        )
        assert (await client.post_playback(lesson, **{"X-Forwarded-For": addresses[0]})).status_code == 201

    async def test_an_address_of_ipv4_is_kept_as_one(self, client: Client, world: World, owner: Any) -> None:
        started = await client.post_playback(
            world.lesson(is_preview=True), **{"X-Forwarded-For": "::ffff:198.51.100.11"}
        )
        row = owner.execute(
            "SELECT host(client_address) FROM stream.playback_session WHERE id = %s", [started.json()["playback"]]
        )
        assert row.fetchone() == ("198.51.100.11",)

    async def test_only_a_trusted_proxy_says_where_somebody_comes_from(
        self, open_gateway: Open, world: World, owner: Any
    ) -> None:
        lesson = world.lesson(is_preview=True)
        async with open_gateway(LECTERN_TRUSTED_PROXIES="10.0.0.0/8") as client:
            started = (await client.post_playback(lesson, **{"X-Forwarded-For": "203.0.113.99"})).json()
        row = owner.execute(
            "SELECT host(client_address) FROM stream.playback_session WHERE id = %s", [started["playback"]]
        )
        assert row.fetchone() == ("127.0.0.1",)
