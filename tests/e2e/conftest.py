"""The end-to-end tests talk to a running Lectern by its base URL alone, however it was started.

LECTERN_E2E_BASE_URL: where it is. LECTERN_E2E_ACCOUNTS: the accounts file that the demo data wrote.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from e2e.people import Person, newcomer


@pytest.fixture(scope="session")
def base_url() -> str:
    url = os.environ.get("LECTERN_E2E_BASE_URL")
    if not url:
        pytest.exit("LECTERN_E2E_BASE_URL is not set: run `make test-e2e` or `make test-compose`.", returncode=4)
    return url.rstrip("/")


@pytest.fixture(scope="session")
def accounts() -> dict[str, dict[str, str]]:
    loaded: dict[str, Any] = json.loads(Path(os.environ["LECTERN_E2E_ACCOUNTS"]).read_text())
    return loaded["accounts"]


@pytest.fixture
def register(base_url: str) -> Iterator[Callable[[], Person]]:
    """Makes new people, each with an account of their own and logged in."""
    people: list[Person] = []

    def make() -> Person:
        people.append(newcomer(base_url))
        return people[-1]

    yield make
    for person in people:
        person.close()


@pytest.fixture
def alice(register: Callable[[], Person]) -> Person:
    return register()


@pytest.fixture
def bob(register: Callable[[], Person]) -> Person:
    return register()


@pytest.fixture
def agent(base_url: str, accounts: dict[str, dict[str, str]]) -> Iterator[Person]:
    """The demo's support agent, online."""
    person = Person(base_url, accounts["agent"]["username"], accounts["agent"]["password"])
    person.log_in()
    person.put("/chat/v1/agents/me/", {"status": "online"}, expect=200)
    yield person
    person.put("/chat/v1/agents/me/", {"status": "offline"}, expect=200)
    person.close()


@pytest.fixture
def admin(base_url: str, accounts: dict[str, dict[str, str]]) -> Iterator[Person]:
    person = Person(base_url, accounts["admin"]["username"], accounts["admin"]["password"])
    person.log_in()
    yield person
    person.close()


@pytest.fixture(scope="session")
def course(base_url: str) -> dict[str, Any]:
    """A course on sale whose first video lesson is not a free preview."""
    import httpx

    courses = httpx.get(f"{base_url}/api/v1/courses/", params={"price_min": 1, "ordering": "price"}).json()["results"]
    assert courses, "the demo data has no course on sale"
    loaded: dict[str, Any] = httpx.get(f"{base_url}/api/v1/courses/{courses[0]['slug']}/").json()
    return loaded


@pytest.fixture(scope="session")
def lesson(course: dict[str, Any]) -> dict[str, Any]:
    lessons = [lesson for section in course["sections"] for lesson in section["lessons"]]
    found: dict[str, Any] = next(each for each in lessons if each["kind"] == "video" and not each["is_preview"])
    return found


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of video that some phone might have made."""
    file = tmp_path_factory.mktemp("clip") / "Lesson Ü.mp4"
    pattern = ["-f", "lavfi", "-i", "testsrc=size=160x90:rate=25:duration=1", "-pix_fmt", "yuv420p"]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *pattern, str(file)], check=True)
    return file


@pytest.fixture
def video_lesson(admin: Person) -> dict[str, Any]:
    """A lesson without a video, in a course of its own that is not on sale."""
    course = admin.post("/api/v1/courses/", {"title": f"New {secrets.token_hex(4)}", "price": 5}, expect=201).json()
    section = admin.post(f"/api/v1/courses/{course['slug']}/sections/", {"title": "One"}, expect=201).json()
    wanted = {"title": "First", "kind": "video"}
    lesson: dict[str, Any] = admin.post(f"/api/v1/sections/{section['id']}/lessons/", wanted, expect=201).json()
    return lesson
