"""Who may have which bytes, and until when."""

from __future__ import annotations

import asyncio
import time
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest
from conftest import Client, Open, code, refused_within_a_second, until
from world import Lesson, Person, World

SEGMENT = "video-360-00001.m4s"


def segment(started: dict[str, Any]) -> str:
    return started["manifest_url"].replace("master.m3u8", SEGMENT)


async def test_alice_starts_a_lesson_that_she_bought(
    client: Client, alice: Person, lesson: Lesson, world: World
) -> None:
    world.caption(lesson, "en", "English")
    answer = await client.post_playback(lesson, alice)
    assert answer.status_code == 201
    body = answer.json()
    base = f"/stream/v1/p/{body['playback']}"
    assert uuid.UUID(body["playback"]).version == 7
    assert body["manifest_url"] == f"{base}/master.m3u8"
    assert body["mp4_url"] == f"{base}/progressive.mp4"
    assert body["captions"] == [{"language": "en", "label": "English", "url": f"{base}/captions-en.vtt"}]
    assert (body["poster_url"], body["sprites_url"]) == (f"{base}/poster.jpg", f"{base}/sprites.vtt")
    assert time.strptime(body["expires_at"], "%Y-%m-%dT%H:%M:%SZ")
    cookie = answer.headers["set-cookie"]
    assert f"Path={base};" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert answer.headers["cache-control"] == "no-store"


async def test_the_cookie_is_secure_where_the_site_is(open_gateway: Open, alice: Person, lesson: Lesson) -> None:
    async with open_gateway(LECTERN_PUBLIC_URL="https://lectern.test") as client:
        assert "Secure" in (await client.post_playback(lesson, alice)).headers["set-cookie"]


async def test_only_a_hash_of_the_cookie_is_kept(client: Client, alice: Person, lesson: Lesson, owner: Any) -> None:
    started = await client.start(alice, lesson)
    secret = client.cookies["lectern_playback"]
    (row,) = owner.execute("SELECT p::text FROM stream.playback_session p WHERE id = %s", [started["playback"]])
    assert secret not in row[0]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_alices_cookie_gets_a_segment(client: Client, alice: Person, lesson: Lesson, method: str) -> None:
    started = await client.start(alice, lesson)
    answer = await client.request(method, segment(started))
    assert answer.status_code == 200
    assert answer.headers["x-accel-redirect"] == f"/_media/{lesson.path}/{SEGMENT}"
    assert answer.headers["content-type"] == "video/iso.segment"
    assert answer.headers["cache-control"].startswith("private, max-age=")


async def test_so_does_her_token_without_the_cookie(client: Client, alice: Person, lesson: Lesson) -> None:
    started = await client.start(alice, lesson)
    client.cookies.clear()
    assert (await client.get(segment(started), headers=alice.bearer)).status_code == 200


async def test_an_expired_token_beside_the_cookie_does_no_harm(client: Client, alice: Person, lesson: Lesson) -> None:
    started = await client.start(alice, lesson)
    expired = {"Authorization": f"Bearer {alice.token(exp=1)}"}
    assert (await client.get(segment(started), headers=expired)).status_code == 200


async def test_a_copied_address_alone_is_worthless(client: Client, alice: Person, lesson: Lesson) -> None:
    started = await client.start(alice, lesson)
    await client.get(segment(started))  # also once it is kept
    client.cookies.clear()
    for address in (segment(started), started["manifest_url"], started["mp4_url"], started["poster_url"]):
        answer = await client.get(address)
        assert code(answer) == (401, "not_authenticated")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_cookie_of_one_lesson_does_not_open_another(
    client: Client, alice: Person, lesson: Lesson, world: World
) -> None:
    other = world.lesson()
    world.enrol(alice, other)
    await client.start(alice, lesson)
    secret = client.cookies["lectern_playback"]
    started = await client.start(alice, other)
    client.cookies.clear()
    answer = await client.get(segment(started), headers={"Cookie": f"lectern_playback={secret}"})
    assert code(answer) == (404, "not_found")


async def test_bob_cannot_use_alices_session(client: Client, alice: Person, lesson: Lesson, world: World) -> None:
    bob = world.person("bob", "media.watch_any")
    started = await client.start(alice, lesson)
    await client.get(segment(started))
    client.cookies.clear()
    assert code(await client.get(segment(started), headers=bob.bearer)) == (404, "not_found")
    assert code(await client.delete(f"/stream/v1/p/{started['playback']}", headers=bob.bearer)) == (404, "not_found")


@pytest.mark.parametrize("playback", [str(uuid.uuid4()), "1", "{}", "0" * 500])
async def test_a_made_up_playback_is_not_found(client: Client, alice: Person, playback: str) -> None:
    address = f"/stream/v1/p/{playback}/master.m3u8"
    assert code(await client.get(address, headers=alice.bearer)) == (404, "not_found")
    assert code(await client.get(address, headers={"Cookie": "lectern_playback=guess"})) == (404, "not_found")


@pytest.mark.parametrize("takes_away", ["refund", "deactivate", "erase", "log_out_everywhere", "end_login"])
async def test_what_takes_access_away_stops_the_next_segment_within_a_second(
    client: Client, alice: Person, lesson: Lesson, world: World, owner: Any, takes_away: str
) -> None:
    started = await client.start(alice, lesson)
    for _ in range(3):
        assert (await client.get(segment(started))).status_code == 200
    getattr(world, takes_away)(alice)
    await refused_within_a_second(lambda: client.get(segment(started)), (403, "access_ended"))
    assert code(await client.get(segment(started))) == (403, "access_ended")
    row = owner.execute("SELECT end_reason FROM stream.playback_session WHERE id = %s", [started["playback"]])
    assert row.fetchone() == ("access_ended",)


async def test_her_old_token_is_refused_as_well(client: Client, alice: Person, lesson: Lesson, world: World) -> None:
    started = await client.start(alice, lesson)
    client.cookies.clear()
    assert (await client.get(segment(started), headers=alice.bearer)).status_code == 200
    world.log_out_everywhere(alice)
    await refused_within_a_second(lambda: client.get(segment(started), headers=alice.bearer), (401, "token_invalid"))
    assert code(await client.post_playback(lesson, alice)) == (401, "token_invalid")
    alice.generation += 1
    again = alice.logged_in_again()
    assert code(await client.get(segment(started), headers=again.bearer)) == (403, "access_ended")
    assert (await client.post_playback(lesson, again)).status_code == 201


async def test_an_enrolment_ends_by_itself_without_anybody_saying_so(
    client: Client, world: World, lesson: Lesson
) -> None:
    carol = world.person("carol")
    world.enrol(carol, lesson, for_seconds=1.5)
    over = time.monotonic() + 1.5  # or a little earlier
    started = await client.start(carol, lesson)
    while (answer := await client.get(segment(started))).status_code == 200:
        await asyncio.sleep(0.01)
        assert time.monotonic() < over + 0.5, "kept past its end"
    assert code(answer) == (403, "access_ended")


async def test_a_course_held_twice_stays_open_until_the_later_end(client: Client, world: World, lesson: Lesson) -> None:
    carol = world.person("carol")
    world.enrol(carol, lesson, for_seconds=-5)
    world.enrol(carol, lesson, for_seconds=3600)
    world.enrol(carol, lesson)
    started = await client.start(carol, lesson)
    assert (await client.get(segment(started))).status_code == 200


async def test_a_no_is_never_kept(client: Client, world: World, lesson: Lesson) -> None:
    dave = world.person("dave")
    assert code(await client.post_playback(lesson, dave)) == (403, "not_enrolled")
    world.enrol(dave, lesson)  # which notifies nobody
    started = await client.start(dave, lesson)
    world.refund(dave)
    await refused_within_a_second(lambda: client.get(segment(started)), (403, "access_ended"))
    world.enrol(dave, lesson)
    assert code(await client.get(segment(started))) == (403, "access_ended")  # that session is over
    started = await client.start(dave, lesson)
    assert (await client.get(segment(started))).status_code == 200


async def test_starting_needs_a_person_and_an_enrolment(client: Client, world: World, lesson: Lesson) -> None:
    bob = world.person("bob")
    assert code(await client.post_playback(lesson)) == (401, "not_authenticated")
    assert code(await client.post_playback(lesson, bob)) == (403, "not_enrolled")
    hidden = world.lesson(is_published=False)
    assert code(await client.post_playback(hidden, bob)) == (404, "not_found")
    made_up = Lesson(uuid.uuid4(), uuid.uuid4(), "")
    assert code(await client.post_playback(made_up, bob)) == (404, "not_found")
    assert code(await client.post_playback(made_up)) == (401, "not_authenticated")
    stranger = Person("nobody core-api knows", world.keys)
    assert code(await client.post_playback(lesson, stranger)) == (401, "token_invalid")


@pytest.mark.parametrize("is_published", [True, False])
async def test_who_has_the_course_is_told_when_the_lesson_opens(
    client: Client, world: World, is_published: bool
) -> None:
    bob, lesson = world.person("bob"), world.lesson(is_published=is_published)
    world.opens_later(bob, lesson, datetime(2099, 3, 1, 10, 30, tzinfo=timezone(timedelta(hours=1))))
    attachment = world.attachment(lesson)
    answers = [
        await client.post_playback(lesson, bob),
        await client.get(f"/stream/v1/lessons/{lesson.id}/video", headers=bob.bearer),
        await client.get(f"/stream/v1/attachments/{attachment}", headers=bob.bearer),
    ]
    for answer in answers:
        assert code(answer) == (403, "lesson_not_open")
        assert answer.json()["opens_at"] == "2099-03-01T09:30:00Z"
    stranger = await client.post_playback(lesson, world.person("carol"))
    assert code(stranger) == ((403, "not_enrolled") if is_published else (404, "not_found"))
    assert "opens_at" not in stranger.json()


async def test_a_video_that_is_not_ready(client: Client, world: World) -> None:
    alice, lesson = world.person("alice"), world.lesson(ready=False)
    assert code(await client.post_playback(lesson, alice)) == (403, "not_enrolled")
    world.enrol(alice, lesson)
    assert code(await client.post_playback(lesson, alice)) == (409, "video_not_ready")


async def test_viewers_of_a_replaced_video_finish_the_old_one(
    client: Client, alice: Person, lesson: Lesson, world: World
) -> None:
    started = await client.start(alice, lesson)
    newer = world.replace_video(lesson)
    assert lesson.path in (await client.get(segment(started))).headers["x-accel-redirect"]
    again = await client.start(alice, lesson)
    assert newer.path in (await client.get(segment(again))).headers["x-accel-redirect"]


async def test_staff_with_the_permission_watch_everything(client: Client, world: World) -> None:
    erin, hidden = world.person("erin", "media.watch_any"), world.lesson(is_published=False)
    started = await client.start(erin, hidden)
    assert (await client.get(segment(started))).status_code == 200
    world.take_permissions(erin)
    await refused_within_a_second(lambda: client.get(segment(started)), (403, "access_ended"))


async def test_a_session_that_nobody_used_for_long_is_over(
    client: Client, alice: Person, lesson: Lesson, owner: Any
) -> None:
    started = await client.start(alice, lesson)
    owner.execute("UPDATE stream.playback_session SET over_at = now() WHERE id = %s", [started["playback"]])
    assert code(await client.get(segment(started))) == (403, "access_ended")


async def test_use_is_noted_beside_the_request(client: Client, alice: Person, lesson: Lesson, owner: Any) -> None:
    started = await client.start(alice, lesson)
    owner.execute(
        "UPDATE stream.playback_session SET last_seen_at = now() - interval '1 minute', over_at = now() + interval '1 minute'"
        " WHERE id = %s",
        [started["playback"]],
    )
    for _ in range(5):
        await client.get(segment(started))
    await client.gateway.last_seen.settle()
    statement = (
        "SELECT last_seen_at > now() - interval '5 seconds', over_at > now() + interval '8 hours', xmin::text"
        " FROM stream.playback_session WHERE id = %s"
    )
    seen, longer, version = owner.execute(statement, [started["playback"]]).fetchone()
    assert (seen, longer) == (True, True)
    for _ in range(5):
        await client.get(segment(started))
    await client.gateway.last_seen.settle()
    assert owner.execute(statement, [started["playback"]]).fetchone()[2] == version  # written once, not ten times


async def test_a_note_that_fails_never_fails_the_bytes(
    client: Client, alice: Person, lesson: Lesson, owner: Any
) -> None:
    started = await client.start(alice, lesson)
    with owner.transaction():
        owner.execute("SELECT FROM stream.playback_session WHERE id = %s FOR UPDATE", [started["playback"]])
        owner.execute("UPDATE stream.playback_session SET last_seen_at = now() - interval '1 minute'")
        assert (await client.get(segment(started))).status_code == 200
        await client.gateway.last_seen.settle()  # passes over what is locked


async def test_she_ends_it_herself(client: Client, alice: Person, lesson: Lesson, owner: Any) -> None:
    started = await client.start(alice, lesson)
    copied = {"Cookie": f"lectern_playback={client.cookies['lectern_playback']}"}
    assert (await client.get(segment(started))).status_code == 200
    address = f"/stream/v1/p/{started['playback']}"
    assert (await client.delete(address)).status_code == 204
    assert not client.cookies
    assert code(await client.get(segment(started), headers=copied)) == (403, "access_ended")
    assert (await client.delete(address, headers=alice.bearer)).status_code == 204
    assert code(await client.delete(address)) == (401, "not_authenticated")
    row = owner.execute("SELECT end_reason FROM stream.playback_session WHERE id = %s", [started["playback"]])
    assert row.fetchone() == ("viewer",)


async def test_an_admin_ends_it(client: Client, alice: Person, lesson: Lesson, databases: Any) -> None:
    started = await client.start(alice, lesson)
    assert (await client.get(segment(started))).status_code == 200
    with psycopg.connect(databases.url("core"), autocommit=True) as admin:
        end = "SELECT stream_published.end_playback(%s)"
        assert admin.execute(end, [started["playback"]]).fetchone() == (True,)
        await refused_within_a_second(lambda: client.get(segment(started)), (403, "access_ended"))
        assert admin.execute(end, [started["playback"]]).fetchone() == (False,)
        assert admin.execute(end, [uuid.uuid4()]).fetchone() == (False,)
        shown = admin.execute(
            "SELECT user_id, lesson_id, kind, end_reason, host(client_address) FROM stream_published.playback_session"
            " WHERE playback_id = %s",
            [started["playback"]],
        ).fetchone()
    assert shown == (alice.id, lesson.id, "hls", "admin", "127.0.0.1")


async def test_nothing_is_kept_while_nobody_listens(
    client: Client, alice: Person, lesson: Lesson, world: World, databases: Any
) -> None:
    started = await client.start(alice, lesson)
    assert (await client.get(segment(started))).status_code == 200
    with databases.superuser() as superuser:
        superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%' OR query = 'SELECT 1'"
        )
    await until(lambda: not client.gateway.listener.live)
    world.run("DELETE FROM core.lesson_access WHERE user_id = %s", alice.id)  # and the notification is lost
    assert code(await client.get(segment(started))) == (403, "access_ended")
    await until(lambda: client.gateway.listener.live)
