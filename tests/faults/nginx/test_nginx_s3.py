"""Packages in object storage: nginx fetches what the gateway's yes names, from the configured bucket and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bucket import CONTENT, MP4, SEGMENT, Store
from s3_server import BUCKET
from stand_ins import Answer, Service, problem

from deploy.embedded.nginx import find_program, has_slices

ASK = "/stream/v1/p/0190/x"
SLICE = 2 * 2**20  # bytes
SECRETS = {"Cookie": "lectern_playback=secret", "Authorization": "Bearer secret"}


@pytest.fixture(scope="module")
def with_s3(make_front: Callable[..., Any], store: Store) -> Any:
    return make_front(MEDIA_STORAGE="s3", S3_ENDPOINT_URL=store.bucket.endpoint, S3_BUCKET=BUCKET)


@pytest.fixture
def bucket_says() -> Iterator[Service]:
    service = Service()
    yield service
    service.stop()


@pytest.fixture
def with_stand_in(make_front: Callable[..., Any], bucket_says: Service, stream: Service) -> Any:
    stream.forget()
    return make_front(MEDIA_STORAGE="s3", S3_ENDPOINT_URL=f"http://127.0.0.1:{bucket_says.port}", S3_BUCKET=BUCKET)


@pytest.mark.parametrize("key", [SEGMENT, MP4])
def test_the_gateways_yes_becomes_the_object(with_s3, stream, store: Store, key: str) -> None:
    stream.answers[ASK] = store.yes(key)
    for _ in range(2):  # the second time from the disk
        answer = with_s3.client.get(ASK)
        assert (answer.status_code, answer.content) == (200, CONTENT)
        assert answer.headers.get_list("Content-Type") == ["video/mp4"]
        assert answer.headers.get_list("Cache-Control") == ["private, max-age=3600"]
        assert not [name for name in answer.headers if name.startswith(("x-amz", "x-accel"))]
        assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]
    head = with_s3.client.head(ASK)
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", str(len(CONTENT)))


@pytest.mark.parametrize("key", [SEGMENT, MP4])
def test_ranges_and_validators(with_s3, stream, store: Store, key: str) -> None:
    stream.answers[ASK] = store.yes(key)

    def ask(ranges: str, **headers: str) -> Any:
        return with_s3.client.get(ASK, headers={"Range": f"bytes={ranges}"} | headers)

    for ranges, expected in (("0-99", CONTENT[:100]), ("-10", CONTENT[-10:]), ("10200-", CONTENT[10200:])):
        answer = ask(ranges)
        assert (answer.status_code, answer.content) == (206, expected), ranges
        assert answer.headers["Content-Range"].endswith(f"/{len(CONTENT)}")
    tag = with_s3.client.get(ASK).headers["ETag"]
    assert ask("0-9", **{"If-Range": tag}).status_code == 206
    assert ask("0-9", **{"If-Range": '"another"'}).content == CONTENT
    beyond = ask("99999999-")
    assert (beyond.status_code, problem(beyond.content)["code"]) == (416, "range_not_satisfiable")


def test_a_seek_into_a_long_video_keeps_its_slice_at_most(with_s3, stream, store: Store) -> None:
    """An nginx without slices, such as the tests' own, passes ranges of it through and keeps nothing."""
    slices = has_slices(find_program())
    key = "packages/long/b/progressive.mp4"
    content = b"".join(number.to_bytes(4, "big") for number in range(3 * 2**20))  # 12 MiB
    store.put(key, content)
    stream.answers[ASK] = store.yes(key)

    def ask(first: int, last: int) -> None:
        answer = with_s3.client.get(ASK, headers={"Range": f"bytes={first}-{last}"})
        assert (answer.status_code, answer.content) == (206, content[first : last + 1])
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(content)}"

    def now_kept(size: int) -> bool:
        return kept(with_s3) - before == pytest.approx(size if slices else 0, rel=0.01)

    before = kept(with_s3)
    ask(9_000_000, 9_000_099)
    assert now_kept(SLICE)
    ask(9_000_000 - 50, 9_000_000 + 50)  # out of the same one
    assert now_kept(SLICE)
    ask(2 * SLICE - 10, 2 * SLICE + 9)  # the ends of two others
    assert now_kept(3 * SLICE)
    assert with_s3.client.get(ASK).content == content
    assert now_kept(len(content))


def kept(front: Any) -> int:
    """The bytes on nginx's disk of what it fetched."""
    return sum(file.stat().st_size for file in (front.home / "media-cache").rglob("*") if file.is_file())


def test_what_has_not_changed_is_not_sent_again(with_s3, stream, store: Store) -> None:
    stream.answers[ASK] = store.yes(SEGMENT)
    tag = with_s3.client.get(ASK).headers["ETag"]
    assert with_s3.client.get(ASK, headers={"If-None-Match": tag}).status_code == 304


def test_an_object_that_is_not_there(with_s3, stream, store: Store) -> None:
    stream.answers[ASK] = store.yes("packages/a/b/video-720-00001.m4s")
    answer = with_s3.client.get(ASK)
    assert (answer.status_code, problem(answer.content)["code"]) == (404, "not_found")


def test_the_store_learns_nothing_of_the_client_and_is_asked_once(
    with_stand_in, bucket_says: Service, stream, store: Store
) -> None:
    path = f"/{BUCKET}/{SEGMENT}"
    bucket_says.answers[path] = Answer(200, {"ETag": '"1"', "Set-Cookie": "a=b", "x-amz-request-id": "1"}, CONTENT)
    for _ in range(3):
        stream.answers[ASK] = store.yes(SEGMENT)  # signed anew
        answer = with_stand_in.client.get(ASK, headers=SECRETS | {"X-Other": "mine"})
        assert answer.content == CONTENT
        assert not {"set-cookie", "x-amz-request-id"} & set(answer.headers)
    assert len(bucket_says.seen) == 1
    assert bucket_says.last.target.startswith(f"{path}?X-Amz-Algorithm=AWS4-HMAC-SHA256&")
    assert set(bucket_says.last.headers) <= {"host", "range"}  # the latter is nginx's, where it fetches in slices
    assert bucket_says.last.headers["host"] == f"127.0.0.1:{bucket_says.port}"


def test_a_web_app_may_read_it_where_the_gateway_says_so(with_s3, stream, store: Store) -> None:
    cors = {"Access-Control-Allow-Origin": "https://app.example", "Access-Control-Allow-Credentials": "true"}
    stream.answers[ASK] = store.yes(SEGMENT, **cors, Vary="Origin")
    answer = with_s3.client.get(ASK)
    assert {name: answer.headers.get_list(name) for name in cors} == {name: [value] for name, value in cors.items()}
    assert answer.headers.get_list("Vary") == ["Origin"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [(307, 503), (301, 503), (403, 404), (404, 404), (400, 503), (429, 503), (500, 503), (503, 503)],
)
def test_a_refusal_of_the_store_is_nobodys_business(
    with_stand_in, bucket_says: Service, stream, store: Store, said: int, expected: int
) -> None:
    elsewhere = {
        "Location": "http://169.254.169.254/latest",
        "X-Accel-Redirect": "/_media/x",
        "Content-Type": "text/xml",
    }
    bucket_says.answers[f"/{BUCKET}/{SEGMENT}"] = Answer(said, elsewhere, b"<Error>the inside of the store</Error>")
    stream.answers[ASK] = store.yes(SEGMENT)
    answer = with_stand_in.client.get(ASK)
    assert (answer.status_code, problem(answer.content)["status"]) == (expected, expected)
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "named",
    [
        "/_s3/@169.254.169.254/latest",
        "/_s3///169.254.169.254/latest",
        "/_s3/../../other-bucket/secret",
        "/_s3/http://169.254.169.254/",
        "/_s3/%2e%2e/other-bucket/secret",
    ],
)
def test_nothing_but_the_bucket_is_ever_asked(with_stand_in, bucket_says: Service, stream, named: str) -> None:
    stream.answers[ASK] = Answer(200, {"X-Accel-Redirect": named}, b"")
    assert with_stand_in.client.get(ASK).status_code in (200, 404)
    assert all(seen.target.startswith(f"/{BUCKET}/") for seen in bucket_says.seen)
    assert all("other-bucket" not in seen.target or ".." not in seen.target for seen in bucket_says.seen)


@pytest.mark.parametrize("status", [201, 403, 500])
def test_a_refusal_that_carries_the_header_does_not_become_the_object(
    with_s3, stream, store: Store, status: int
) -> None:
    yes = store.yes(SEGMENT)
    stream.answers[ASK] = Answer(status, yes.headers, b"")
    answer = with_s3.client.get(ASK)
    assert (answer.status_code, problem(answer.content)["code"]) == (503, "unavailable")


@pytest.mark.parametrize("target", [f"/_s3/{SEGMENT}", "/_s3/", "/_s3", "/%5fs3/x", "/_s3../x", "/x/..//_s3/x"])
@pytest.mark.parametrize("which", ["front", "with_s3"])
def test_a_client_who_asks_for_it_directly_gets_404(request, stream, which: str, target: str) -> None:
    stream.forget()
    front = request.getfixturevalue(which)
    status, body = front.get_as_is(target)
    assert (status, problem(body)["code"], stream.seen) == (404, "not_found", [])
