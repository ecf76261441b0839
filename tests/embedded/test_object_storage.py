"""All of Lectern with its videos in object storage: uploaded, packaged, watched, exported, taken away."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import imageio_ffmpeg
import pytest
from conftest import Demo
from e2e import hls
from e2e.people import Person, newcomer, wait_for
from s3_server import BUCKET, REGION, s3_server
from tusclient.client import TusClient

pytestmark = pytest.mark.long
DEMO = [sys.executable, "-m", "deploy.embedded.demo"]
SECONDS = 7  # two segments


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def demo(open_folder: Path, store: str) -> Iterator[Demo]:
    demo = Demo(open_folder / "object storage")
    s3 = {"MEDIA_STORAGE": "s3", "S3_ENDPOINT_URL": store, "S3_BUCKET": BUCKET, "S3_REGION": REGION}
    s3 |= {"S3_ACCESS_KEY_ID": "key", "S3_SECRET_ACCESS_KEY": "made-up"}
    environment = demo.environment(**s3)
    started = subprocess.run([*DEMO, "start"], env=environment, capture_output=True, text=True, timeout=300)
    assert started.returncode == 0, started.stdout + started.stderr
    yield demo
    subprocess.run([*DEMO, "stop"], env=environment, capture_output=True, timeout=60)
    demo.clean_up()


@pytest.fixture(scope="module")
def admin(demo: Demo) -> Iterator[Person]:
    account = json.loads(demo.state.accounts.read_text())["accounts"]["admin"]
    admin = Person(demo.url, account["username"], account["password"])
    admin.log_in()
    yield admin
    admin.close()


@pytest.fixture(scope="module")
def lesson(admin: Person, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The lesson of a course on sale whose video was uploaded and packaged."""
    clip = tmp_path_factory.mktemp("clip") / "clip.mp4"
    source = ["-f", "lavfi", "-i", f"testsrc=size=320x180:rate=25:duration={SECONDS}", "-pix_fmt", "yuv420p"]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *source, str(clip)], check=True)
    category = admin.get("/api/v1/categories/").json()["results"][0]["slug"]
    wanted = {"title": "In a bucket", "summary": "s", "description": "d", "price": 5, "category": category}
    course = admin.post("/api/v1/courses/", wanted, expect=201).json()["slug"]
    section = admin.post(f"/api/v1/courses/{course}/sections/", {"title": "One"}, expect=201).json()["id"]
    made = admin.post(f"/api/v1/sections/{section}/lessons/", {"title": "First", "kind": "video"}, expect=201).json()
    uploads = TusClient(f"{admin.base_url}/stream/v1/uploads/", headers={"Authorization": f"Bearer {admin.access}"})
    with clip.open("rb") as file:
        sender = uploads.uploader(file_stream=file, chunk_size=1 << 20, metadata={"filename": "clip.mp4"})
        sender.upload()
    path = f"/api/v1/lessons/{made['id']}/video/"
    admin.post(path, {"upload": str(sender.url).rpartition("/")[2]}, expect=202)
    video = wait_for(lambda: admin.get(path).json(), lambda it: it["status"] in ("ready", "failed"), seconds=120)
    assert video["status"] == "ready", video
    admin.post(f"/api/v1/courses/{course}/publish/", expect=200)
    return {"id": made["id"], "course": course}


def stored(store: str) -> list[str]:
    listing = httpx.get(f"{store}/{BUCKET}?list-type=2&max-keys=1000", timeout=30).text
    return [part.partition("</Key>")[0] for part in listing.split("<Key>")[1:]]


def test_it_lies_in_the_bucket_and_nowhere_else(demo: Demo, store: str, lesson: dict[str, Any]) -> None:
    assert [key for key in stored(store) if key.endswith("/video-180-00001.m4s")]
    assert list((demo.state.home / "media").rglob("*.m4s")) == []


def test_who_bought_it_watches_it_until_it_is_refunded(demo: Demo, admin: Person, lesson: dict[str, Any]) -> None:
    alice = newcomer(demo.url)
    alice.buy_credit()
    order = alice.buy(lesson["course"])
    playback = alice.post("/stream/v1/playback", {"lesson": lesson["id"]}, expect=201)
    cookie = "; ".join(f"{name}={value}" for name, value in playback.cookies.items())
    manifest = demo.url + playback.json()["manifest_url"]
    assert hls.play(manifest, cookie) == pytest.approx(SECONDS, abs=1 / 25)
    segment = manifest.replace("master.m3u8", "video-180-00001.m4s")
    with httpx.Client(headers={"Cookie": cookie}, trust_env=False) as player:
        whole = player.get(segment)
        part = player.get(segment, headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, whole.content[10:20])
        assert player.get(segment.replace("180-00001", "180-00009")).status_code == 404
        admin.post(f"/api/v1/orders/{order['id']}/refund/", {"reason": "Asked"}, key=str(uuid.uuid4()), expect=200)
        refunded = time.monotonic()
        while (answer := player.get(segment)).status_code == 200:
            assert time.monotonic() < refunded + 1, "still served, from nginx's cache or the store"
    assert (answer.status_code, answer.json()["code"]) == (403, "access_ended")
    alice.close()


def test_a_course_is_exported_from_the_bucket_and_comes_back(
    demo: Demo, admin: Person, store: str, lesson: dict[str, Any]
) -> None:
    before = stored(store)
    archive = admin.get(f"/api/v1/courses/{lesson['course']}/export/").content
    names = zipfile.ZipFile(io.BytesIO(archive)).namelist()
    assert [name for name in names if name.endswith("/video-180-00001.m4s")]
    answer = admin.http.post(
        "/api/v1/courses/import/", content=archive, headers={"Content-Type": "application/zip"}, timeout=60
    )
    assert answer.status_code == 201, answer.text
    new = set(stored(store)) - set(before)
    assert [key for key in new if key.endswith("/video-180-00001.m4s")]
