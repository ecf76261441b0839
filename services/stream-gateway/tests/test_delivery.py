"""Which names are files, how they are sent, and that a name never becomes another path."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from conftest import Client, Open, code
from world import FILES, Lesson, Person, World


@pytest.fixture
def lesson(world: World) -> Lesson:
    lesson = world.lesson()
    world.caption(lesson, "de", 'Deutsch "für alle"\n#EXT-X-ENDLIST')
    world.caption(lesson, "pt-BR", "Português")
    return lesson


@pytest.fixture
async def base(client: Client, alice: Person, lesson: Lesson) -> str:
    return f"/stream/v1/p/{(await client.start(alice, lesson))['playback']}"


TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".vtt": "text/vtt; charset=utf-8",
    ".jpg": "image/jpeg",
}


async def test_the_files_of_a_package(client: Client, base: str, lesson: Lesson) -> None:
    for name in set(FILES) - {"master.m3u8", "package.json"}:
        answer = await client.get(f"{base}/{name}")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["x-accel-redirect"] == f"/_media/{lesson.path}/{name}"
        assert answer.headers["content-type"] == TYPES[name[name.rindex(".") :]]
        assert answer.headers["cache-control"].startswith("private")


NOT_FILES = [
    "package.json",
    "",
    "..",
    ".",
    "../package.json",
    "../../../../etc/passwd",
    "..%2fpackage.json",
    "%2e%2e/%2e%2e/secret",
    "video-360.m3u8/../package.json",
    "video-360.m3u8/",
    "/video-360.m3u8",
    "video-360.m3u8%00.jpg",
    "video-360.m3u8%0a",
    "video-360.m3u8\0",
    "video-360.m3u8?x",
    "video-360.m3u8#x",
    "video-%33%36%30.m3u8",
    "video-360+.m3u8",
    "video-360 .m3u8",
    "video-٣٦٠.m3u8",
    "VIDEO-360.m3u8",
    "video-360-1.m4s",
    "video-360-000001.m4s",
    "video--00001.m4s",
    "audio-00001.mp4",
    "sprites-1.jpg",
    "captions-.vtt",
    "captions-fr.vtt",
    "captions-../x.vtt",
    "captions-de.vtt.vtt",
    "captions-de.srt",
    "index.html",
]


async def test_everything_else_is_not_found(client: Client, base: str) -> None:
    """Each as the path says it after one decoding, so `%2f` here is what a client sends as `%252f`."""
    for name in NOT_FILES:
        answer = await client.get(f"{base}/{quote(name, safe='/')}")
        assert code(answer) in ((404, "not_found"), (405, "method_not_allowed")), name


async def test_a_path_from_the_database_is_not_believed_either(client: Client, world: World) -> None:
    for path in ("packages/../secrets", "/etc", "packages/a?b", "packages/a%2fb", "packages//a"):
        alice, lesson = world.person("alice"), world.lesson()
        world.enrol(alice, lesson)
        world.run("UPDATE core.package SET path = %s WHERE package_id = %s", path, lesson.package)
        started = await client.start(alice, lesson)
        answer = await client.get(started["manifest_url"].replace("master", "video-360"))
        assert code(answer) == (404, "not_found")


async def test_the_master_names_the_captions(client: Client, base: str) -> None:
    answer = await client.get(f"{base}/master.m3u8")
    assert answer.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert answer.headers["cache-control"] == "private, no-store"
    assert "x-accel-redirect" not in answer.headers
    lines = answer.text.splitlines()
    media = [line for line in lines if "TYPE=SUBTITLES" in line]
    assert media == [
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="captions",NAME="Deutsch für alle#EXT-X-ENDLIST",LANGUAGE="de",'
        'DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI="captions-de.m3u8"',
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="captions",NAME="Português",LANGUAGE="pt-BR",'
        'DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI="captions-pt-BR.m3u8"',
    ]
    renditions = [line for line in lines if line.startswith("#EXT-X-STREAM-INF")]
    assert len(renditions) == 2
    assert all(line.endswith(',SUBTITLES="captions"') for line in renditions)
    assert lines.index(media[-1]) < lines.index(renditions[0])


async def test_captions_of_one_label_have_a_name_each(client: Client, world: World, alice: Person) -> None:
    """RFC 8216, 4.3.4.1.1: within a group no two have the same. An imported course may call them as it likes."""
    lesson = world.lesson()
    world.enrol(alice, lesson)
    for language, label in (("en", "English"), ("en-GB", 'English"'), ("de", "Deutsch")):
        world.caption(lesson, language, label)
    master = (await client.get((await client.start(alice, lesson))["manifest_url"])).text
    names = re.findall('GROUP-ID="captions",NAME="([^"]*)"', master)
    assert names == ["Deutsch", "English (en)", "English (en-GB)"]


async def test_captions_that_come_later_stand_in_the_next_master(client: Client, world: World) -> None:
    alice, lesson = world.person("alice"), world.lesson()
    world.enrol(alice, lesson)
    started = await client.start(alice, lesson)
    assert (await client.get(started["manifest_url"])).text == FILES["master.m3u8"].decode()
    world.caption(lesson, "en", "English")
    assert 'URI="captions-en.m3u8"' in (await client.get(started["manifest_url"])).text


async def test_a_captions_playlist_and_its_file(client: Client, base: str, lesson: Lesson) -> None:
    playlist = (await client.get(f"{base}/captions-pt-BR.m3u8")).text.splitlines()
    assert playlist[0] == "#EXTM3U"
    assert "#EXT-X-TARGETDURATION:11" in playlist
    assert playlist[-3:] == ["#EXTINF:10.500,", "captions-pt-BR.vtt", "#EXT-X-ENDLIST"]
    answer = await client.get(f"{base}/captions-pt-BR.vtt")
    assert answer.headers["x-accel-redirect"] == f"/_media/captions/{lesson.id}/pt-BR.vtt"
    assert answer.headers["content-type"] == "text/vtt; charset=utf-8"


class TestDirect:
    """The same rules without nginx: this process sends the bytes."""

    @pytest.fixture
    async def direct(self, open_gateway: Open) -> AsyncIterator[Client]:
        async with open_gateway(DELIVERY="direct") as client:
            yield client

    @pytest.fixture
    async def mp4(self, direct: Client, alice: Person, lesson: Lesson) -> str:
        address: str = (await direct.start(alice, lesson))["mp4_url"]
        return address

    async def test_the_whole_file(self, direct: Client, mp4: str) -> None:
        answer = await direct.get(mp4)
        assert (answer.status_code, answer.content) == (200, FILES["progressive.mp4"])
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["content-length"] == "10000"
        assert "x-accel-redirect" not in answer.headers

    async def test_head_says_the_same_without_the_bytes(self, direct: Client, mp4: str) -> None:
        got, head = await direct.get(mp4), await direct.head(mp4)
        assert head.content == b""
        assert dict(head.headers) | {"x-request-id": ""} == dict(got.headers) | {"x-request-id": ""}

    @pytest.mark.parametrize(
        ("asked", "first", "last"),
        [
            ("bytes=0-99", 0, 99),
            ("bytes=9990-", 9990, 9999),
            ("bytes=-10", 9990, 9999),
            ("bytes=-20000", 0, 9999),
            ("bytes=5000-99999", 5000, 9999),
            ("bytes=9999-9999", 9999, 9999),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    async def test_one_range(self, direct: Client, mp4: str, asked: str, first: int, last: int, method: str) -> None:
        answer = await direct.request(method, mp4, headers={"Range": asked})
        assert answer.status_code == 206
        assert answer.headers["content-range"] == f"bytes {first}-{last}/10000"
        assert answer.headers["content-length"] == str(last - first + 1)
        assert answer.content == (FILES["progressive.mp4"][first : last + 1] if method == "GET" else b"")

    @pytest.mark.parametrize("asked", ["bytes=10000-", "bytes=10000-10001", "bytes=-0"])
    async def test_a_range_past_the_end(self, direct: Client, mp4: str, asked: str) -> None:
        answer = await direct.get(mp4, headers={"Range": asked})
        assert code(answer) == (416, "range_not_satisfiable")
        assert answer.headers["content-range"] == "bytes */10000"

    @pytest.mark.parametrize(
        "asked",
        ["bytes=0-1,5-9", "bytes=9-5", "bytes=x-", "bytes=", "bytes=-", "seconds=1-2", "bytes=" + "9" * 5000 + "-"],
    )
    async def test_what_is_no_single_range_gets_the_whole_file(self, direct: Client, mp4: str, asked: str) -> None:
        answer = await direct.get(mp4, headers={"Range": asked})
        assert (answer.status_code, len(answer.content)) == (200, 10_000)

    async def test_if_range(self, direct: Client, mp4: str) -> None:
        head = (await direct.head(mp4)).headers
        for validator in (head["etag"], head["last-modified"]):
            answer = await direct.get(mp4, headers={"Range": "bytes=0-1", "If-Range": validator})
            assert answer.status_code == 206
        for validator in ('"another"', "W/" + head["etag"], "Mon, 01 Jan 2001 00:00:00 GMT"):
            answer = await direct.get(mp4, headers={"Range": "bytes=0-1", "If-Range": validator})
            assert answer.status_code == 200

    async def test_not_modified(self, direct: Client, mp4: str) -> None:
        head = (await direct.head(mp4)).headers
        unchanged: list[dict[str, str]] = [
            {"If-None-Match": head["etag"]},
            {"If-None-Match": f'"x", W/{head["etag"]}'},
            {"If-None-Match": "*"},
            {"If-Modified-Since": head["last-modified"]},
        ]
        for headers in unchanged:
            answer = await direct.get(mp4, headers=headers)
            assert (answer.status_code, answer.content) == (304, b"")
        changed: list[dict[str, Any]] = [
            {"If-None-Match": '"x"', "If-Modified-Since": head["last-modified"]},
            {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
            {"If-Modified-Since": "yesterday"},
        ]
        for headers in changed:
            assert (await direct.get(mp4, headers=headers)).status_code == 200

    async def test_captions_and_a_file_that_is_missing(
        self, direct: Client, mp4: str, world: World, lesson: Lesson
    ) -> None:
        base = mp4.rpartition("/")[0]
        assert (await direct.get(f"{base}/captions-de.vtt")).text.startswith("WEBVTT")
        assert code(await direct.get(f"{base}/video-9999.m3u8")) == (404, "not_found")
        (world.media_root / lesson.path / "video-8888.m3u8").mkdir()
        assert code(await direct.get(f"{base}/video-8888.m3u8")) == (404, "not_found")

    async def test_the_rules_are_the_same(self, direct: Client, mp4: str, world: World, alice: Person) -> None:
        assert (await direct.get(mp4)).status_code == 200
        cookies = dict(direct.cookies)
        direct.cookies.clear()
        assert code(await direct.get(mp4)) == (401, "not_authenticated")
        world.deactivate(alice)
        direct.gateway.playing.drop_all()
        assert (
            code(await direct.get(mp4, headers={"Cookie": f"lectern_playback={cookies['lectern_playback']}"}))[0] == 403
        )
