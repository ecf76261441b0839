"""Writes a course as an archive (deploy/course-archive.md), piece by piece: neither its files nor the archive fill the memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from django.utils import timezone
from rest_framework.utils.encoders import JSONEncoder

from archives.container import MOST_BYTES, MOST_ENTRIES
from archives.contents import DOCUMENT, FORMAT, LARGEST_DOCUMENT, MOST_LESSONS, MOST_SECTIONS, VERSION
from archives.errors import CourseTooLarge, FilesMissing, StoreAway
from archives.rows import OF_LESSON, OF_SECTION
from courses.models import Course, Lesson, Section
from courses.serializers import CourseChange, LessonCreation, SectionChange
from media.course_files import check_kept, read_kept
from media.models import Attachment, Caption, Package
from media.packaging import FACTS
from media.stores import StoreFailed, store

IN_ONE = 1 << 20  # bytes given on at a time
MODE = 0o644 << 16


@dataclass(frozen=True)
class Entry:
    name: str
    size_bytes: int
    pieces: Callable[[], Iterator[bytes]]


@dataclass
class Export:
    """course.json, and the files that it names. What a row says of its files was looked at, they were not read yet."""

    document: dict[str, Any]
    entries: list[Entry] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        return sum(entry.size_bytes for entry in self.entries)

    @cached_property
    def text(self) -> bytes:
        """course.json, once all is in `document`."""
        return json.dumps(self.document, cls=JSONEncoder, ensure_ascii=False, indent=1).encode()


def make_export(course: Course) -> Export:
    """Raises FilesMissing, StoreAway; CourseTooLarge for what no import would take."""
    export = Export({"format": FORMAT, "version": VERSION, "exported_at": timezone.now()})
    export.document["course"] = {"slug": course.slug, **CourseChange(course).data}
    missing: list[str] = []
    if poster := Course.objects.values_list("poster", flat=True).get(pk=course.pk):
        try:
            export.document["poster"] = _whole(export, "poster.jpg", poster, read_kept)
        except OSError:
            missing.append("The course's poster is not in storage.")
    lessons = (
        Lesson.objects.filter(section__course=course)
        .prefetch_related("captions", "attachments")
        .order_by("section__position", "section_id", "position", "id")
    )
    packages = {p.lesson_id: p for p in Package.objects.filter(lesson__section__course=course, is_current=True)}
    by_section: dict[Any, list[dict[str, Any]]] = {}
    for number, lesson in enumerate(lessons, 1):
        try:
            told = _lesson(export, f"lessons/{number:04}", lesson, packages.get(lesson.pk))
        except StoreFailed as error:
            raise StoreAway from error
        except OSError:
            missing.append(f'A file of lesson "{lesson.title}" is not in storage.')
            continue
        by_section.setdefault(lesson.section_id, []).append(told)
    if missing:
        raise FilesMissing(errors={"files": missing})
    export.document["sections"] = [
        _said(SectionChange(section), OF_SECTION) | {"lessons": by_section.get(section.pk, [])}
        for section in Section.objects.filter(course=course)
    ]
    _check_limits(export)
    return export


def _check_limits(export: Export) -> None:
    sections = export.document["sections"]
    counted = [
        ("sections", len(sections), MOST_SECTIONS),
        ("lessons", sum(len(section["lessons"]) for section in sections), MOST_LESSONS),
        ("files", len(export.entries) + 1, MOST_ENTRIES),
        ("bytes of files", export.size_bytes, MOST_BYTES),
        ("bytes of texts", len(export.text), LARGEST_DOCUMENT),
    ]
    if over := [
        f"It has {count:,} {what}; at most {most:,} are accepted." for what, count, most in counted if count > most
    ]:
        raise CourseTooLarge(errors={"course": over})


def _lesson(export: Export, folder: str, lesson: Lesson, package: Package | None) -> dict[str, Any]:
    told = _said(LessonCreation(lesson), OF_LESSON)
    is_video = lesson.kind == Lesson.Kind.VIDEO  # one that became an article may have what it does not show any more
    if is_video and (captions := lesson.captions.all()):
        told["captions"] = {each.language: _caption(export, folder, n, each) for n, each in enumerate(captions, 1)}
    if attachments := lesson.attachments.all():
        told["attachments"] = [_attachment(export, folder, n, each) for n, each in enumerate(attachments, 1)]
    if is_video and package:
        told["video"] = {"package": _package(export, f"{folder}/video", package)}
    return told


def _caption(export: Export, folder: str, number: int, caption: Caption) -> dict[str, Any]:
    """Numbered, too: en-us and en-US are one name to some systems."""
    name = f"{folder}/captions-{number:02}-{caption.language}.vtt"
    file = _whole(export, name, caption.path, store().read)
    return {"label": caption.label, **file}


def _attachment(export: Export, folder: str, number: int, attachment: Attachment) -> dict[str, Any]:
    """Called by its number: what learners save it as need not be a name that every system can unpack."""
    name = f"{folder}/attachment-{number:02}"
    check_kept(attachment.path)
    export.entries.append(Entry(name, attachment.size_bytes, partial(read_kept, attachment.path)))
    return {"name": attachment.name, "file": name, "sha256": attachment.sha256}


def _package(export: Export, folder: str, package: Package) -> dict[str, Any]:
    facts = json.loads(b"".join(store().read(f"{package.path}/{FACTS}")))
    told = {}
    for name, about in facts["files"].items():
        path = f"{package.path}/{name}"
        export.entries.append(Entry(f"{folder}/{name}", about["size"], partial(store().read, path)))
        told[name] = {"file": f"{folder}/{name}", "sha256": about["sha256"]}
    return told


def _whole(export: Export, name: str, path: str, read: Callable[[str], Iterator[bytes]]) -> dict[str, str]:
    """For small files: read now, so that the hash can stand before them."""
    data = b"".join(read(path))
    export.entries.append(Entry(name, len(data), lambda: iter([data])))
    return {"file": name, "sha256": hashlib.sha256(data).hexdigest()}


def _said(serializer: Any, names: list[str]) -> dict[str, Any]:
    return {name: value for name, value in serializer.data.items() if name in names}


class _Pipe:
    """What ZipFile writes to: a file that cannot be wound back, emptied by `take`."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.waiting = 0

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self.waiting += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken, self._parts, self.waiting = b"".join(self._parts), [], 0
        return taken


def stream(export: Export) -> Iterator[bytes]:
    """The archive's bytes. Files are stored as they are, since video does not pack; course.json is packed.

    Raises OSError where a file went meanwhile: then what was sent has no directory at its end, so nobody takes it for whole.
    """
    pipe = _Pipe()
    with ZipFile(pipe, "w") as archive:  # type: ignore[call-overload]  # it needs no more than these two methods
        archive.writestr(_info(DOCUMENT, ZIP_DEFLATED), export.text)
        for entry in export.entries:
            info = _info(entry.name, ZIP_STORED)
            info.file_size = entry.size_bytes  # so that a large one gets the long form of its sizes
            with archive.open(info, "w") as file:
                for piece in entry.pieces():
                    file.write(piece)
                    if pipe.waiting >= IN_ONE:
                        yield pipe.take()
    yield pipe.take()


def _info(name: str, packing: int) -> ZipInfo:
    info = ZipInfo(name, date_time=timezone.now().timetuple()[:6])
    info.compress_type, info.external_attr = packing, MODE
    return info
