"""Makes a course of a checked archive, all of it or nothing."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.db import transaction

from accounts.models import User
from archives.checking import Archive
from archives.contents import File, LessonContent
from archives.errors import StoreAway
from archives.journal import clear_abandoned, journal
from archives.rows import Rows
from config.ids import uuid7
from config.problems import Invalid, Unavailable
from courses.actions import do_create_course
from courses.languages import language_label
from courses.models import Course, Lesson, Section
from media import course_files, file_actions, storage
from media.captions import to_webvtt
from media.folders import FILE_MODE, FOLDER_MODE, pieces_of
from media.models import Caption, Package, VideoAsset
from media.packaging import FACTS, Facts
from media.posters import to_poster
from media.stores import StoreFailed

Progress = Callable[[int], None]


def do_import(archive: Archive, author: User, on_progress: Progress = lambda _bytes: None) -> Course:
    """A draft that `author` teaches, at the archive's address if that is free. `on_progress` is told bytes that were copied.

    `archive` is one that nothing is wrong with. Files are in their places before the rows are committed; when the import
    fails or is killed, none of either is left. Raises Unavailable where there is no room, StoreAway.
    """
    clear_abandoned()
    importing = _Import(archive, author, on_progress)
    try:
        with journal(importing.course, importing.folders):
            importing.place_files()
            with transaction.atomic():
                return importing.save()
    except StoreFailed as error:
        raise StoreAway from error
    except OSError as error:
        raise Unavailable(file_actions.NO_ROOM) from error


class _Import:
    """Ids are given first, so that every folder is known before anything is written."""

    def __init__(self, archive: Archive, author: User, on_progress: Progress) -> None:
        self.archive, self.author, self.on_progress = archive, author, on_progress
        self.course, self.poster, self.rows = uuid7(), "", Rows()
        self.lessons: list[tuple[LessonContent, Lesson]] = []
        self.files: list[tuple[File, Lesson, uuid.UUID]] = []
        self.packages: list[tuple[LessonContent, VideoAsset]] = []
        self._give_ids()
        self.folders = [f"posters/{self.course}"] if archive.course.poster else []
        self.folders += [f"captions/{lesson.pk}" for content, lesson in self.lessons if content.captions]
        self.folders += [f"attachments/{number}" for _, _, number in self.files]
        self.folders += [f"packages/{asset.pk}" for _, asset in self.packages]

    def _give_ids(self) -> None:
        for place, section in enumerate(self.archive.course.sections, 1):
            row = Section(course_id=self.course, position=place, **section.fields)
            self.rows.sections.append(row)
            for position, content in enumerate(section.lessons, 1):
                lesson = Lesson(section=row, position=position, **content.fields)
                self.rows.lessons.append(lesson)
                self.lessons.append((content, lesson))
                self.files += [(file, lesson, uuid7()) for file in content.attachments]
                if content.package:
                    ready = {"status": VideoAsset.Status.READY, "progress": 100, "uploaded_by": self.author}
                    self.packages.append((content, VideoAsset(lesson=lesson, source="", **ready)))

    def place_files(self) -> None:
        if poster := self.archive.course.poster:
            with self.archive.container.open(poster.name) as opened:
                self.poster = course_files.keep_poster(self.course, to_poster(opened)).path
        for content, lesson in self.lessons:
            for language, caption in content.captions.items():
                text = to_webvtt(b"".join(self._pieces(caption)))
                path = storage.caption_path(lesson.pk, language, text)
                storage.keep_caption(path, text)
                label = caption.label or language_label(language)
                self.rows.captions.append(Caption(lesson=lesson, language=language, label=label, path=path))
        for file, lesson, number in self.files:
            row = file_actions.attachment_row(
                lesson, file.label or file.name, course_files.keep_attachment(number, self._pieces(file))
            )
            row.pk = number
            self.rows.attachments.append(row)
        for content, asset in self.packages:
            self._place_package(content, asset)

    def _place_package(self, content: LessonContent, asset: VideoAsset) -> None:
        checked = self.archive.packages[content.where]
        with storage.workspace(asset.pk) as folder:
            assert folder is not None  # noqa: S101  the id is new, so nobody else works there
            for name, file in content.package.items():
                text = checked.texts.get(name)
                _write(folder / name, iter([text.encode()]) if text is not None else self._pieces(file))
            facts = _seal(folder, checked.duration_s, checked.width, checked.height)
            path = storage.put_in_place(asset.pk, folder, facts)
        self.rows.assets.append(asset)
        self.rows.packages.append(
            Package(
                asset=asset,
                lesson=asset.lesson,
                path=path,
                duration_s=facts.duration_s,
                width=facts.width,
                height=facts.height,
                size_bytes=facts.size_bytes,
                is_current=True,
            )
        )

    def _pieces(self, file: File) -> Iterator[bytes]:
        for piece in pieces_of(self.archive.container.open(file.name)):
            yield piece
            self.on_progress(len(piece))

    def save(self) -> Course:
        fields: dict[str, Any] = self.archive.course.fields | {"id": self.course, "poster": self.poster}
        try:
            course = do_create_course(self.author, slug=self.archive.course.slug, **fields)
        except Invalid:  # the address is taken: one is made of the title
            course = do_create_course(self.author, **fields)
        self.rows.save()
        return course


def _write(file: Path, pieces: Iterator[bytes]) -> None:
    with file.open("xb") as out:
        for piece in pieces:
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    file.chmod(FILE_MODE)


def _seal(folder: Path, duration_s: float, width: int, height: int) -> Facts:
    """package.json, as media/packaging.py writes it, of what lies in `folder`."""
    files: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            files[path.name] = {
                "size": path.stat().st_size,
                "sha256": hashlib.file_digest(file, "sha256").hexdigest(),
            }
    listing = json.dumps(files, sort_keys=True, separators=(",", ":"))
    content_hash = hashlib.sha256(listing.encode()).hexdigest()[:16]
    facts = Facts(duration_s, width, height, sum(file["size"] for file in files.values()), content_hash)
    document = {"version": 1, **vars(facts), "imported": True, "files": files}
    _write(folder / FACTS, iter([json.dumps(document, indent=1).encode()]))
    folder.chmod(FOLDER_MODE)
    return facts
