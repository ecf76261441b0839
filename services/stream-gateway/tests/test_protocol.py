"""The short way through HTTP (protocol.py) says what uvicorn's own would, and is taken by nothing that is not quite plain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from conftest import Client, until
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState
from world import Lesson, Person, World

from stream_gateway.app import served
from stream_gateway.protocol import Protocol

SEGMENT = "video-360-00001.m4s"
ID = "X-Request-ID: 0123456789abcdef\r\n"
Answer = tuple[bytes, list[bytes], bytes]


class Wire:
    """A connection to a gateway (`ends`: its protocol): raw bytes go out, answers come as (status line, sorted headers, body)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ends: list[Any]) -> None:
        self.reader, self.writer, self.ends = reader, writer, ends

    async def ask(self, raw: bytes, *, head: bool = False) -> Answer:
        self.writer.write(raw)
        return await self.answer(head=head)

    async def answer(self, *, head: bool = False) -> Answer:
        status, *lines = (await self.reader.readuntil(b"\r\n\r\n")).rstrip().split(b"\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
        body = b"" if head else await self.reader.readexactly(int(headers[b"content-length"]))
        return status, sorted(line for line in lines if not line.startswith(b"date: ")), body


@asynccontextmanager
async def wire(client: Client, protocol: type[HttpToolsProtocol] = Protocol, **settings: Any) -> AsyncIterator[Wire]:
    """A connection to the gateway of `client` through `protocol`."""
    config = Config(
        served(client.gateway), log_config=None, proxy_headers=False, server_header=False, lifespan="off", **settings
    )
    config.load()
    made: list[Any] = []

    def make() -> HttpToolsProtocol:
        made.append(protocol(config, ServerState(), {}))
        return made[-1]

    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    opened = Wire(reader, writer, made)
    try:
        yield opened
    finally:
        writer.close()
        await writer.wait_closed()
        server.close()
        for each in made:
            each.transport.abort()
        await server.wait_closed()


@pytest.fixture
def uvicorns(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What uvicorn's protocol got to see."""
    seen: list[bytes] = []
    receive = HttpToolsProtocol.data_received

    def noting(self: HttpToolsProtocol, data: bytes) -> None:
        seen.append(data)
        receive(self, data)

    monkeypatch.setattr(HttpToolsProtocol, "data_received", noting)
    return seen


@pytest.fixture
async def playing(client: Client, alice: Person, lesson: Lesson) -> tuple[str, str]:
    """The path of a segment that Alice has just got, and her cookie."""
    started = await client.start(alice, lesson)
    path = started["manifest_url"].replace("master.m3u8", SEGMENT)
    cookie = f"Cookie: lectern_playback={client.cookies['lectern_playback']}\r\n"
    for headers in ({}, alice.bearer):
        assert (await client.get(path, headers=headers)).status_code == 200
    client.cookies.clear()
    assert (await client.get(path, headers=alice.bearer)).status_code == 200
    return path, cookie


def plain(path: str, headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    return f"{method} {path} HTTP/{version}\r\nHost: lectern.test\r\n{ID}{headers}\r\n".encode()


async def test_what_is_plain_is_answered_at_once_as_uvicorn_would(
    client: Client, alice: Person, playing: tuple[str, str], uvicorns: list[bytes]
) -> None:
    path, cookie = playing
    token = f"Authorization: {alice.bearer['Authorization']}\r\n"
    requests = [
        plain(path, cookie),
        plain(path, cookie, "HEAD"),
        plain(path, token),
        plain(path, token + cookie),
        plain(path, cookie.replace("Cookie: ", "cookie: theme=dark; ")),
        plain(path, cookie.replace("\r\n", " \t\r\n") + "Range: bytes=0-1\r\nUser-Agent: \xe9 (x; y)\r\nAccept: \r\n"),
    ]
    async with wire(client) as ours, wire(client, HttpToolsProtocol) as theirs:
        for raw in requests:
            head = raw.startswith(b"HEAD")
            answer = await ours.ask(raw, head=head)
            assert uvicorns == [], raw
            assert answer == await theirs.ask(raw, head=head)
            assert answer[0] == b"HTTP/1.1 200 OK"
            assert any(line.startswith(b"x-accel-redirect: /_media/packages/") for line in answer[1])
            uvicorns.clear()


async def test_what_is_not_plain_is_uvicorns(
    client: Client, alice: Person, playing: tuple[str, str], uvicorns: list[bytes], world: World, lesson: Lesson
) -> None:
    path, cookie = playing
    other = (await client.start(alice, lesson))["manifest_url"].replace("master.m3u8", SEGMENT)
    client.cookies.clear()
    requests = [
        plain(path, ""),
        plain(path, cookie + cookie),
        plain(path, cookie.replace("=", "=guessed")),
        plain(path, cookie + "Origin: https://app.example\r\n"),
        plain(path, cookie + "Content-Length: 0\r\n"),
        plain(path, cookie + "Content-Length: 4\r\n") + b"GET ",
        plain(path, cookie + "Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n",
        plain(path, cookie + "Connection: keep-alive\r\n"),
        plain(path, cookie.replace(": ", ":")),
        plain(path, cookie + "Authorization: Basic eA==\r\n"),
        plain(path.replace("video", "v%69deo"), cookie),
        plain(path.replace(SEGMENT, "package.json"), cookie),
        plain(f"{path}?a=b", cookie),
        plain(other, cookie),
        plain(path, cookie, "DELETE"),
        plain(path, cookie, "POST"),
    ]
    async with wire(client) as ours, wire(client, HttpToolsProtocol) as theirs:
        for raw in requests:
            answer = await ours.ask(raw)
            assert uvicorns == [raw]
            assert answer == await theirs.ask(raw), raw
            uvicorns.clear()


@pytest.mark.parametrize(
    "spoilt",
    ["Cookie : x=y\r\n", "X-Folded: a\r\n b\r\n", "X-Null: a\0b\r\n", "No colon\r\n", "Content-Length: 1, 2\r\n"],
)
async def test_a_malformed_header_is_refused_although_the_cookie_is_good(
    client: Client, playing: tuple[str, str], spoilt: str
) -> None:
    path, cookie = playing
    for protocol in (Protocol, HttpToolsProtocol):
        async with wire(client, protocol) as opened:
            status, headers, _ = await opened.ask(plain(path, cookie + spoilt))
            assert status.startswith(b"HTTP/1.1 400") or spoilt.startswith("X-Folded")
            assert status.startswith(b"HTTP/1.1 200") or not [line for line in headers if b"accel" in line]


async def test_requests_in_pieces_and_in_one_packet_are_answered_in_their_order(
    client: Client, playing: tuple[str, str]
) -> None:
    path, cookie = playing
    quick, slow = plain(path, cookie), plain(path.replace(SEGMENT, "package.json"), cookie)
    async with wire(client) as opened:
        good = await opened.ask(quick)
        for cut in (1, 30, len(quick) - 2):
            opened.writer.write(quick[:cut])
            await until(lambda: not opened.ends[0]._between_requests)
            assert await opened.ask(quick[cut:]) == good
        opened.writer.write(quick + quick)
        assert [await opened.answer(), await opened.answer()] == [good, good]
        opened.writer.write(slow)
        opened.writer.write(quick)  # while that one is under way, or after it
        first, second = await opened.answer(), await opened.answer()
        assert (first[0], second) == (b"HTTP/1.1 404 Not Found", good)


async def test_a_body_that_reads_like_a_request_is_none(
    client: Client, playing: tuple[str, str], uvicorns: list[bytes]
) -> None:
    """Also when it comes after its own request was answered: else the next client on the connection would get the answer."""
    path, cookie = playing
    quick = plain(path, cookie)
    post = plain(path, f"{cookie}Content-Length: {len(quick)}\r\n", "POST")
    async with wire(client) as opened:
        assert (await opened.ask(post))[0] == b"HTTP/1.1 405 Method Not Allowed"
        opened.writer.write(quick)
        await until(lambda: uvicorns == [post, quick])
        opened.writer.write(plain(path.replace(SEGMENT, "package.json"), cookie))
        assert (await opened.answer())[0] == b"HTTP/1.1 404 Not Found"


async def test_a_refund_is_heard_on_a_connection_that_stays(
    client: Client, alice: Person, playing: tuple[str, str], world: World
) -> None:
    path, cookie = playing
    async with wire(client) as opened:
        assert (await opened.ask(plain(path, cookie)))[0] == b"HTTP/1.1 200 OK"
        world.refund(alice)
        async with asyncio.timeout(1):
            while (answer := await opened.ask(plain(path, cookie)))[0] == b"HTTP/1.1 200 OK":  # noqa: ASYNC110  what is waited for happens in a database
                await asyncio.sleep(0.01)
        assert answer[0] == b"HTTP/1.1 403 Forbidden"


async def test_an_idle_connection_is_closed_and_a_used_one_is_not(client: Client, playing: tuple[str, str]) -> None:
    path, cookie = playing
    async with wire(client, timeout_keep_alive=60) as opened:
        await opened.ask(plain(path, cookie))
        (protocol,) = opened.ends
        protocol.timeout_keep_alive_handler()  # it was set at the first answer, and the last is younger
        assert not protocol.transport.is_closing()
        assert protocol.timeout_keep_alive_task is not None
        protocol._answered_at -= 61
        protocol.timeout_keep_alive_handler()
        assert await opened.reader.read() == b""


async def test_a_server_that_stops_hangs_up_between_requests(client: Client, playing: tuple[str, str]) -> None:
    path, cookie = playing
    async with wire(client) as opened:
        await opened.ask(plain(path, cookie))
        (protocol,) = opened.ends
        protocol.shutdown()
        assert await opened.reader.read() == b""
