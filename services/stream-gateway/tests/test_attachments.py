"""Who gets a lesson's files, how, and for how long."""

from __future__ import annotations

import uuid

import pytest
from conftest import Client, Open, code, refused_within_a_second
from world import Lesson, Person, World


@pytest.fixture
def attachment(world: World, lesson: Lesson) -> uuid.UUID:
    return world.attachment(lesson, "100 % Übung #1 + Teig?.pdf")


def address(attachment: uuid.UUID) -> str:
    return f"/stream/v1/attachments/{attachment}"


async def test_alice_saves_a_file_of_her_lesson(client: Client, alice: Person, attachment: uuid.UUID) -> None:
    for method in ("GET", "HEAD"):
        answer = await client.request(method, address(attachment), headers=alice.bearer)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["x-accel-redirect"] == f"/_media/attachments/{attachment}/0123456789abcdef"
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["content-disposition"] == (
            'attachment; filename="100 _ Ubung _1 + Teig_.pdf"; '
            "filename*=UTF-8''100%20%25%20%C3%9Cbung%20%231%20%2B%20Teig%3F.pdf"
        )


async def test_others_get_none_of_it(client: Client, world: World, lesson: Lesson, attachment: uuid.UUID) -> None:
    stranger, draft = world.person("bob"), world.lesson(is_published=False)
    assert code(await client.get(address(attachment))) == (401, "not_authenticated")
    assert code(await client.get(address(attachment), headers=stranger.bearer)) == (403, "not_enrolled")
    hidden = await client.get(address(world.attachment(draft)), headers=stranger.bearer)
    none = await client.get(address(uuid.uuid4()), headers=stranger.bearer)
    assert code(hidden) == code(none) == (404, "not_found")
    assert hidden.content == none.content
    assert code(await client.get(address(uuid.uuid4()))) == (401, "not_authenticated")
    assert code(await client.get("/stream/v1/attachments/1", headers=stranger.bearer)) == (404, "not_found")


async def test_a_lesson_without_video_has_files_too(client: Client, world: World) -> None:
    lesson, carol = world.lesson(ready=False), world.person("carol")
    world.enrol(carol, lesson)
    assert (await client.get(address(world.attachment(lesson)), headers=carol.bearer)).status_code == 200


async def test_a_previews_files_are_everybodys(client: Client, world: World) -> None:
    preview = world.lesson(is_preview=True)
    attachment = world.attachment(preview)
    assert (await client.get(address(attachment))).status_code == 200
    world.no_longer_a_preview(preview)
    assert code(await client.get(address(attachment))) == (401, "not_authenticated")


async def test_instructors_have_the_files_of_their_own_courses(client: Client, world: World, lesson: Lesson) -> None:
    attachment = world.attachment(lesson)
    ines, ivan = world.person("ines", "courses.manage"), world.person("ivan", "courses.manage")
    mona, left = world.person("mona", "courses.manage_all"), world.person("lea")
    world.teaches(ines, lesson)
    world.run(
        "INSERT INTO core.instructor SELECT course_id, %s FROM core.lesson WHERE lesson_id = %s", left.id, lesson.id
    )
    for person, status in ((ines, 200), (mona, 200), (ivan, 403), (left, 403)):
        assert (await client.get(address(attachment), headers=person.bearer)).status_code == status, person.name


@pytest.mark.parametrize(
    ("how", "refused"),
    [
        ("refund", (403, "not_enrolled")),
        ("deactivate", (401, "token_invalid")),
        ("log_out_everywhere", (401, "token_invalid")),
        ("end_login", (401, "token_invalid")),
    ],
)
async def test_what_ends_access_ends_the_link_within_a_second(
    client: Client, world: World, alice: Person, attachment: uuid.UUID, how: str, refused: tuple[int, str]
) -> None:
    made = await client.post(f"{address(attachment)}/link", headers=alice.bearer)
    assert made.status_code == 201, made.text
    assert (await client.get(made.json()["url"])).status_code == 200  # the cookie alone
    getattr(world, how)(alice)
    await refused_within_a_second(lambda: client.get(made.json()["url"]), refused)


async def test_a_links_cookie_is_for_its_file_alone(
    client: Client, world: World, alice: Person, lesson: Lesson, attachment: uuid.UUID
) -> None:
    made = await client.post(f"{address(attachment)}/link", headers=alice.bearer)
    cookie = made.headers["set-cookie"]
    for part in ("lectern_download=", f"Path={address(attachment)}", "HttpOnly", "SameSite=lax", "Max-Age="):
        assert part in cookie
    assert made.json()["url"] == address(attachment)
    assert code(await client.get(address(world.attachment(lesson)))) == (401, "not_authenticated")
    client.cookies.clear()
    assert code(await client.get(made.json()["url"])) == (401, "not_authenticated")
    old = {"Cookie": f"lectern_download={alice.token(exp=1)}"}
    assert code(await client.get(address(attachment), headers=old)) == (401, "not_authenticated")


async def test_a_link_to_a_foreign_file_is_refused(client: Client, world: World, attachment: uuid.UUID) -> None:
    bob = world.person("bob")
    refused = await client.post(f"{address(attachment)}/link", headers=bob.bearer)
    assert code(refused) == (403, "not_enrolled")
    assert "set-cookie" not in refused.headers


@pytest.mark.parametrize("path", ["attachments/../secrets", "/etc", "attachments/a?b", "attachments//a"])
async def test_a_path_from_the_database_is_not_believed(
    client: Client, world: World, alice: Person, attachment: uuid.UUID, path: str
) -> None:
    world.run("UPDATE core.attachment SET path = %s WHERE attachment_id = %s", path, attachment)
    assert code(await client.get(address(attachment), headers=alice.bearer)) == (404, "not_found")


async def test_what_is_odd_in_a_row_stays_out_of_the_headers(
    client: Client, world: World, alice: Person, lesson: Lesson
) -> None:
    attachment = world.attachment(lesson, 'a"\r\nX-Evil: 1\\b', "text/html\r\nX-Evil: 1")
    answer = await client.get(address(attachment), headers=alice.bearer)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith('attachment; filename="a___X-Evil_ 1_b"; ')
    assert "x-evil" not in answer.headers


async def test_without_nginx_the_same_file_comes_with_range(
    open_gateway: Open, alice: Person, attachment: uuid.UUID
) -> None:
    async with open_gateway(DELIVERY="direct") as direct:
        whole = await direct.get(address(attachment), headers=alice.bearer)
        assert whole.content == b"0123456789" * 20
        assert whole.headers["content-security-policy"] == "sandbox"
        assert whole.headers["x-content-type-options"] == "nosniff"
        part = await direct.get(address(attachment), headers=alice.bearer | {"Range": "bytes=5-9"})
        assert (part.status_code, part.content) == (206, b"56789")
        known = alice.bearer | {"If-None-Match": whole.headers["etag"]}
        assert (await direct.get(address(attachment), headers=known)).status_code == 304
