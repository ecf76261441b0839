"""Object storage behind https: nginx fetches from who shows a good certificate for the host's name, and from nobody else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bucket import CONTENT, SEGMENT, Store
from s3_server import BUCKET, over_tls
from stand_ins import problem

ASK = "/stream/v1/p/0190/x"


@pytest.fixture(scope="module")
def resolver() -> Iterator[str]:
    """Every name is this machine: nginx asks a resolver of its own, which knows no /etc/hosts."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                asked, client = server.recvfrom(512)
                if asked == b"stop":
                    return
                question = asked[12 : asked.index(b"\0", 12) + 5]
                here = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + bytes([127, 0, 0, 1])  # that name, A, IN, 1 s, 4 bytes
                server.sendto(asked[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question + here, client)

        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        yield f"127.0.0.1:{port}"
        server.sendto(b"stop", ("127.0.0.1", port))
        thread.join()


@pytest.fixture(scope="module")
def secure(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, list[str]]]:
    with over_tls(store.bucket.endpoint, tmp_path_factory.mktemp("certificates")) as opened:
        yield opened


Make = Callable[..., Any]


@pytest.fixture
def front_of(make_front: Make, resolver: str) -> Make:
    def make(endpoint: str, **more: str) -> Any:
        named = {"MEDIA_STORAGE": "s3", "S3_ENDPOINT_URL": endpoint, "S3_BUCKET": BUCKET}
        return make_front(LECTERN_RESOLVER=resolver, **named, **more)

    return make


def test_it_fetches_from_who_the_named_authorities_vouch_for(front_of: Make, secure: Any, stream: Any) -> None:
    endpoint, authorities, names = secure
    stream.answers[ASK] = Store(endpoint).yes(SEGMENT)
    answer = front_of(endpoint, S3_CA_BUNDLE=str(authorities)).client.get(ASK)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert set(names) == {"localhost"}  # a store of many names has to be told which one is meant


def test_nothing_comes_from_who_only_the_system_would_have_to_trust(front_of: Make, secure: Any, stream: Any) -> None:
    endpoint, _, _ = secure
    stream.answers[ASK] = Store(endpoint).yes(SEGMENT)
    answer = front_of(endpoint).client.get(ASK)
    assert (answer.status_code, problem(answer.content)["code"]) == (503, "unavailable")


def test_nor_from_who_shows_a_good_certificate_of_another_name(front_of: Make, secure: Any, stream: Any) -> None:
    endpoint, authorities, _ = secure
    other = endpoint.replace("localhost", "s3.lectern.test")
    stream.answers[ASK] = Store(other).yes(SEGMENT)
    answer = front_of(other, S3_CA_BUNDLE=str(authorities)).client.get(ASK)
    assert (answer.status_code, problem(answer.content)["code"]) == (503, "unavailable")


def test_authorities_that_are_not_there_stop_the_start(front_of: Make) -> None:
    with pytest.raises(SystemExit, match="S3_CA_BUNDLE is missing or malformed: it should be the path of a file"):
        front_of("https://s3.lectern.test", S3_CA_BUNDLE="/nowhere/ca.pem")
