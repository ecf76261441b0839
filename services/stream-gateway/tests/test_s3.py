"""Packages in a bucket: addresses signed as Amazon does, and what the gateway reads there itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from conftest import Client, Open, code
from s3_server import BUCKET, REGION, over_tls, s3_server
from world import MASTER, Lesson, Person, World

from stream_gateway.s3 import Bucket


def test_an_address_is_signed_as_in_amazons_own_example() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html, "An Example"."""
    bucket = Bucket(
        "https://examplebucket.s3.amazonaws.com",
        "",
        "us-east-1",
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )
    query = bucket.query("test.txt", seconds=86_400, now=datetime(2013, 5, 24, tzinfo=UTC))
    signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    assert query == (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        f"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}"
    )


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", "https://s3.eu-central-1.amazonaws.com"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_and_as_amazons_library_does(endpoint: str, method: str) -> None:
    bucket = Bucket(endpoint, "videos", "eu-central-1", "key/id", "a+secret/")
    key = "packages/0190a8/ab12/video-1080-00001.m4s"
    ours = bucket.url(key, method)
    signing = S3SigV4QueryAuth(Credentials("key/id", "a+secret/"), "s3", "eu-central-1", expires=43_200)
    theirs = AWSRequest(method, f"{endpoint}/videos/{key}")
    signed_at = dict(parse_qsl(urlsplit(ours).query))["X-Amz-Date"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "botocore.auth.get_current_datetime",
            lambda remove_tzinfo=True: datetime.strptime(signed_at, "%Y%m%dT%H%M%SZ"),  # noqa: DTZ007  botocore wants it naive
        )
        signing.add_auth(theirs)
    assert sorted(parse_qsl(urlsplit(ours).query)) == sorted(parse_qsl(urlsplit(theirs.url).query))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as running:
        yield running


@pytest.fixture
async def client(open_gateway: Open, endpoint: str, tmp_path: Path) -> AsyncIterator[Client]:
    s3 = {"S3_ENDPOINT_URL": endpoint, "S3_BUCKET": BUCKET, "S3_REGION": REGION}
    keys = {"S3_ACCESS_KEY_ID": "id", "S3_SECRET_ACCESS_KEY": "secret"}
    async with open_gateway(MEDIA_STORAGE="s3", LECTERN_MEDIA_ROOT=tmp_path, **s3, **keys) as opened:
        yield opened


@pytest.fixture
def lesson(world: World, endpoint: str) -> Lesson:
    lesson = world.lesson()
    for name, content in (("master.m3u8", MASTER.encode()), ("progressive.mp4", b"x" * 10_500_000)):
        put = httpx.put(f"{endpoint}/{BUCKET}/{lesson.path}/{name}", content=content, timeout=30)
        assert put.status_code == 200
    return lesson


async def test_a_playback_from_a_bucket(client: Client, alice: Person, lesson: Lesson, world: World) -> None:
    world.caption(lesson, "de", "Deutsch")
    started = await client.start(alice, lesson)
    master = await client.get(started["manifest_url"])
    assert (master.status_code, 'URI="captions-de.m3u8"' in master.text) == (200, True)
    base = started["manifest_url"].rpartition("/")[0]
    for name, key in (
        ("video-360-00001.m4s", f"{lesson.path}/video-360-00001.m4s"),
        ("captions-de.vtt", f"captions/{lesson.id}/de.vtt"),
    ):
        accel = (await client.get(f"{base}/{name}")).headers["x-accel-redirect"]
        path, _, query = accel.partition("?")
        assert path == f"/_s3/{key}"
        assert dict(parse_qsl(query)).keys() >= {"X-Amz-Signature", "X-Amz-Expires"}
    movie = await client.get(started["mp4_url"])
    assert movie.headers["x-accel-limit-rate"] == "4000000"  # as large as the store says
    assert "secret" not in str(movie.headers)


async def test_a_package_that_is_not_there(client: Client, alice: Person, world: World) -> None:
    lesson = world.lesson()
    world.enrol(alice, lesson)
    started = await client.start(alice, lesson)
    assert code(await client.get(started["manifest_url"])) == (404, "not_found")
    assert code(await client.get(started["mp4_url"])) == (404, "not_found")


async def test_a_store_that_is_away(open_gateway: Open, alice: Person, lesson: Lesson, tmp_path: Path) -> None:
    away = {"MEDIA_STORAGE": "s3", "S3_ENDPOINT_URL": "http://127.0.0.1:9", "S3_BUCKET": BUCKET}
    keys = {"S3_ACCESS_KEY_ID": "id", "S3_SECRET_ACCESS_KEY": "secret", "LECTERN_MEDIA_ROOT": tmp_path}
    async with open_gateway(**away, **keys) as client:
        started = await client.start(alice, lesson)
        assert code(await client.get(started["manifest_url"])) == (503, "unavailable")


@pytest.mark.parametrize(
    "framing", [f"Content-Length: {len(MASTER)}\r\n\r\n", f"Transfer-Encoding: chunked\r\n\r\n{len(MASTER):x}\r\n"]
)
async def test_an_answer_of_the_store_that_breaks_off_is_not_kept(
    open_gateway: Open, alice: Person, lesson: Lesson, tmp_path: Path, framing: str
) -> None:
    """Half a playlist would be remembered as the package's, for as long as the process runs."""
    ends = ["", MASTER[100:] + ("\r\n0\r\n\r\n" if "chunked" in framing else "")]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\n{framing}{MASTER[:100]}{ends.pop(0)}".encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as store:
        endpoint = f"http://127.0.0.1:{store.sockets[0].getsockname()[1]}"
        s3 = {"MEDIA_STORAGE": "s3", "S3_ENDPOINT_URL": endpoint, "S3_BUCKET": BUCKET}
        keys = {"S3_ACCESS_KEY_ID": "id", "S3_SECRET_ACCESS_KEY": "secret", "LECTERN_MEDIA_ROOT": tmp_path}
        async with open_gateway(**s3, **keys) as client:
            started = await client.start(alice, lesson)
            assert code(await client.get(started["manifest_url"])) == (503, "unavailable")
            assert (await client.get(started["manifest_url"])).text == MASTER


async def test_a_store_behind_https_is_checked_by_the_authorities_named(
    open_gateway: Open, endpoint: str, alice: Person, lesson: Lesson, tmp_path: Path
) -> None:
    with over_tls(endpoint, tmp_path) as (secure, authorities, names):
        s3 = {"MEDIA_STORAGE": "s3", "S3_ENDPOINT_URL": secure, "S3_BUCKET": BUCKET, "S3_REGION": REGION}
        s3 |= {"S3_ACCESS_KEY_ID": "id", "S3_SECRET_ACCESS_KEY": "secret"}
        async with open_gateway(LECTERN_MEDIA_ROOT=tmp_path, S3_CA_BUNDLE=authorities, **s3) as client:
            started = await client.start(alice, lesson)
            assert (await client.get(started["manifest_url"])).text == MASTER
        assert names == ["localhost"]
        async with open_gateway(LECTERN_MEDIA_ROOT=tmp_path, **s3) as client:  # whom the system trusts did not sign it
            started = await client.start(alice, lesson)
            assert code(await client.get(started["manifest_url"])) == (503, "unavailable")
