"""Everything that is wrong with an archive, found in one reading and without writing anything."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from archives.container import MOST_BYTES, READ_ERRORS, Container, open_container
from archives.contents import DOCUMENT, CourseContent, File, LessonContent, Reader, read_document
from archives.errors import Problems
from archives.foreign_packages import Checked, NotOurs, check_package
from media.captions import LARGEST as LARGEST_CAPTION
from media.captions import CaptionRefused, to_webvtt
from media.file_actions import LARGEST_ATTACHMENT
from media.folders import pieces_of
from media.posters import LARGEST as LARGEST_POSTER
from media.posters import PosterRefused, to_poster


@dataclass
class Archive:
    """A container, what it says, and what its packages may be taken as, by their lesson's place."""

    container: Container
    course: CourseContent
    packages: dict[str, Checked] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """What an import writes: a file that is named twice is written twice."""
        entries = self.container.entries
        return sum(entries[file.name].file_size for file in self.course.files() if file.name in entries)


def check_archive(file: IO[bytes]) -> tuple[Archive | None, Problems]:
    """What can be imported of `file`, and all that is wrong with it; nothing may be imported while anything is."""
    problems = Problems()
    container = open_container(file, problems)
    document = read_document(container, problems) if container else None
    if container is None or document is None:
        return None, problems
    archive = Archive(container, Reader(problems).course(document))
    if archive.size_bytes > MOST_BYTES:  # a small archive may name one file a hundred thousand times
        problems.add("archive", f"The files that {DOCUMENT} names have more than {MOST_BYTES // 2**30} GiB together.")
        return archive, problems
    checker = _Checker(archive, problems)
    if archive.course.poster:
        checker.poster(archive.course.poster)
    for lesson in archive.course.lessons():
        checker.lesson(lesson)
    return archive, problems


class _Checker:
    def __init__(self, archive: Archive, problems: Problems) -> None:
        self.archive, self.container, self.problems = archive, archive.container, problems

    def poster(self, file: File) -> None:
        with self._reading(file, LARGEST_POSTER) as opened:
            if opened:
                try:
                    to_poster(opened)
                except PosterRefused as refusal:
                    self.problems.add(file.where, str(refusal))

    def lesson(self, lesson: LessonContent) -> None:
        for caption in lesson.captions.values():
            self._caption(caption)
        for attachment in lesson.attachments:
            if self._is_there(attachment, LARGEST_ATTACHMENT, at_least=1):
                self._right(attachment)
        if lesson.package:
            self._package(lesson)

    def _caption(self, file: File) -> None:
        with self._reading(file, LARGEST_CAPTION) as opened:
            if opened:
                try:
                    to_webvtt(opened.read())
                except CaptionRefused as refusal:
                    self.problems.add(file.where, str(refusal))

    def _package(self, lesson: LessonContent) -> None:
        where = f"{lesson.where}.video"
        files = list(lesson.package.values())
        wrong = [file for file in files if not self._is_there(file) or not self._right(file)]  # each is told about
        if wrong:
            return
        try:
            named = {name: file.name for name, file in lesson.package.items()}
            checked = check_package(set(named), lambda name: self.container.open(named[name]))
            self.archive.packages[lesson.where] = checked
        except NotOurs as error:
            self.problems.add(where, f"This is no package of video that Lectern makes: {error}.")
        except READ_ERRORS:
            self.problems.add(where, "Its files are damaged.")

    def _is_there(self, file: File, at_most: int | None = None, at_least: int = 0) -> bool:
        entry = self.container.entries.get(file.name)
        if entry is None:
            self.problems.add(file.where, "The archive has no such file, or not one that can be used.")
        elif at_most is not None and entry.file_size > at_most:
            self.problems.add(file.where, f"The file is larger than {at_most // 2**20} MiB.")
        elif entry.file_size < at_least:
            self.problems.add(file.where, "The file is empty.")
        else:
            return True
        return False

    def _right(self, file: File) -> bool:
        digest = hashlib.sha256()
        try:
            for piece in pieces_of(self.container.open(file.name)):
                digest.update(piece)
        except READ_ERRORS:
            self.problems.add(file.where, "The file is damaged: it cannot be unpacked.")
            return False
        if digest.hexdigest() != file.sha256:
            self.problems.add(file.where, "The file is not the one whose SHA-256 stands here.")
            return False
        return True

    @contextmanager
    def _reading(self, file: File, at_most: int) -> Iterator[IO[bytes] | None]:
        if self._is_there(file, at_most) and self._right(file):
            with self.container.open(file.name) as opened:
                yield opened
        else:
            yield None


def summary(archive: Archive) -> dict[str, Any]:
    lessons: Iterable[LessonContent] = archive.course.lessons()
    return {
        "title": archive.course.fields.get("title", ""),
        "sections": len(archive.course.sections),
        "lessons": len(list(lessons)),
        "files": len(list(archive.course.files())),
    }
