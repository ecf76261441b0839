"""What core-api knows, as tests need it: people, lessons with their files, enrolments; and what takes access away."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from contract.vectors import SigningKeys

MASTER = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Audio",DEFAULT=YES,URI="audio.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,CODECS="avc1.64001e,mp4a.40.2",AUDIO="audio"
video-360.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2400000,RESOLUTION=1280x720,CODECS="avc1.64001f,mp4a.40.2",AUDIO="audio"
video-720.m3u8
"""
FILES = {
    "master.m3u8": MASTER.encode(),
    "video-360.m3u8": b"#EXTM3U\n",
    "video-360-init.mp4": b"init",
    "video-360-00001.m4s": bytes(range(256)) * 4,
    "audio.m3u8": b"#EXTM3U\n",
    "audio-init.mp4": b"init",
    "audio-00001.m4s": b"sound",
    "progressive.mp4": bytes(range(250)) * 40,
    "poster.jpg": b"poster",
    "sprites.vtt": b"WEBVTT\n",
    "sprites-001.jpg": b"sprites",
    "package.json": b"{}",
}


@dataclass
class Person:
    name: str
    keys: SigningKeys
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    login: uuid.UUID = field(default_factory=uuid.uuid4)
    generation: int = 0

    def token(self, **changes: Any) -> str:
        return self.keys.token(
            sub=str(self.id), username=self.name, gen=self.generation, sid=str(self.login), **changes
        )

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token()}"}

    def logged_in_again(self) -> Person:
        return Person(self.name, self.keys, self.id, generation=self.generation)


@dataclass
class Lesson:
    id: uuid.UUID
    package: uuid.UUID
    path: str


class World:
    """Writes as core-api's owner; whatever shrinks access notifies in its own transaction, as core-api's triggers do."""

    def __init__(self, url: str, keys: SigningKeys, media_root: Path) -> None:
        self.keys, self.media_root = keys, media_root
        self.connection = psycopg.connect(url, autocommit=True)

    def person(self, name: str, *permissions: str, generation: int = 0) -> Person:
        person = Person(name, self.keys, generation=generation)
        self.run(
            "INSERT INTO core.principal (user_id, username, generation, permissions) VALUES (%s, %s, %s, %s)",
            person.id,
            name,
            generation,
            list(permissions),
        )
        return person

    def lesson(self, *, is_preview: bool = False, is_published: bool = True, ready: bool = True) -> Lesson:
        lesson = Lesson(uuid.uuid4(), uuid.uuid4(), f"packages/{uuid.uuid4()}/{uuid.uuid4().hex}")
        self.run(
            "INSERT INTO core.lesson (lesson_id, kind, is_preview, is_published, video_status, package_id, duration_s)"
            " VALUES (%s, 'video', %s, %s, %s, %s, 10.5)",
            lesson.id,
            is_preview,
            is_published,
            "ready" if ready else "processing",
            lesson.package if ready else None,
        )
        if ready:
            self.package(lesson)
        return lesson

    def package(self, lesson: Lesson) -> None:
        self.run(
            "INSERT INTO core.package (package_id, lesson_id, path, duration_s) VALUES (%s, %s, %s, 10.5)",
            lesson.package,
            lesson.id,
            lesson.path,
        )
        folder = self.media_root / lesson.path
        folder.mkdir(parents=True)
        for name, content in FILES.items():
            (folder / name).write_bytes(content)

    def replace_video(self, lesson: Lesson) -> Lesson:
        newer = Lesson(lesson.id, uuid.uuid4(), f"packages/{uuid.uuid4()}/{uuid.uuid4().hex}")
        self.package(newer)
        self.run("UPDATE core.lesson SET package_id = %s WHERE lesson_id = %s", newer.package, lesson.id)
        return newer

    def caption(self, lesson: Lesson, language: str, label: str) -> None:
        path = f"captions/{lesson.id}/{language}.vtt"
        self.run("INSERT INTO core.caption VALUES (%s, %s, %s, %s)", lesson.id, language, label, path)
        file = self.media_root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"WEBVTT\n\n00:00.000 --> 00:01.000\n{label}\n")

    def attachment(self, lesson: Lesson, name: str = "recipes.pdf", content_type: str = "application/pdf") -> uuid.UUID:
        number, content = uuid.uuid4(), b"0123456789" * 20
        path = f"attachments/{number}/0123456789abcdef"
        values = (number, lesson.id, name, content_type, len(content), path)
        self.run("INSERT INTO core.attachment VALUES (%s, %s, %s, %s, %s, %s)", *values)
        file = self.media_root / path
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        return number

    def teaches(self, person: Person, lesson: Lesson) -> None:
        course = uuid.uuid4()
        self.run("UPDATE core.lesson SET course_id = %s WHERE lesson_id = %s", course, lesson.id)
        self.run("INSERT INTO core.instructor VALUES (%s, %s)", course, person.id)

    def enrol(self, person: Person, lesson: Lesson, *, for_seconds: float | None = None) -> None:
        self.run(
            "INSERT INTO core.lesson_access VALUES (%s, %s, %s, now() + %s * interval '1 second')",
            person.id,
            lesson.id,
            lesson.package,
            for_seconds,
        )

    def opens_later(self, person: Person, lesson: Lesson, at: datetime) -> None:
        """They have its course, and the lesson opens then."""
        self.run("INSERT INTO core.lesson_opening VALUES (%s, %s, %s)", person.id, lesson.id, at)

    def refund(self, person: Person) -> None:
        with self.shrinking(person):
            self.run("DELETE FROM core.lesson_access WHERE user_id = %s", person.id)

    def deactivate(self, person: Person) -> None:
        with self.shrinking(person):
            self.run("UPDATE core.principal SET is_active = false WHERE user_id = %s", person.id)

    def erase(self, person: Person) -> None:
        with self.shrinking(person):
            self.run("UPDATE core.principal SET erased_at = now() WHERE user_id = %s", person.id)

    def log_out_everywhere(self, person: Person) -> None:
        with self.shrinking(person):
            self.run("UPDATE core.principal SET generation = generation + 1 WHERE user_id = %s", person.id)

    def end_login(self, person: Person) -> None:
        with self.shrinking(person):
            self.run("INSERT INTO core.ended_session VALUES (%s, %s)", person.login, person.id)

    def take_permissions(self, person: Person) -> None:
        with self.shrinking(person):
            self.run("UPDATE core.principal SET permissions = '{}' WHERE user_id = %s", person.id)

    def no_longer_a_preview(self, lesson: Lesson) -> None:
        with self.shrinking(None):
            self.run("UPDATE core.lesson SET is_preview = false WHERE lesson_id = %s", lesson.id)

    @contextmanager
    def shrinking(self, person: Person | None) -> Iterator[None]:
        with self.connection.transaction():
            yield
            self.run("SELECT pg_notify('access_changed', %s)", str(person.id) if person else "")

    def run(self, statement: str, *parameters: object) -> None:
        self.connection.execute(statement, parameters)
