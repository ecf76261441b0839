"""Everything that changes posters and attachments. A file is in its place before the row that names it is committed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import IO

from django.db import transaction

from config.ids import uuid7
from config.problems import Invalid, NotFound, TooLarge, Unavailable
from courses.models import Course, Lesson
from media import course_files
from media.course_files import Kept
from media.leftovers import reuse
from media.models import Attachment, Caption
from media.posters import LARGEST as LARGEST_POSTER
from media.posters import PosterRefused, to_poster

LARGEST_ATTACHMENT = 100 * 2**20  # bytes
MOST_ATTACHMENTS = 50  # of one lesson
LONGEST_NAME = 150  # characters
NO_ROOM = "The file could not be kept: the server has no room for it. Tell its operator, then try again."
# What a download may say that it is. It is saved in any case, never shown (deploy/contracts.md, "Attachments").
TYPES = {
    "csv": "text/csv",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "epub": "application/epub+zip",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "md": "text/markdown",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "odt": "application/vnd.oasis.opendocument.text",
    "pdf": "application/pdf",
    "png": "image/png",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "txt": "text/plain",
    "webp": "image/webp",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
}


def do_set_poster(course: Course, file: IO[bytes], size: int) -> None:
    """Sets or replaces the course's poster. `size`: of the file, in bytes. Raises TooLarge, Invalid, Unavailable."""
    if size > LARGEST_POSTER:
        raise TooLarge(f"A poster may have at most {LARGEST_POSTER // 2**20} MiB.")
    try:
        jpeg = to_poster(file)
    except PosterRefused as refusal:
        raise Invalid(errors={"file": [str(refusal)]}) from refusal
    try:
        with transaction.atomic():
            reuse(course_files.poster_path(course.pk, jpeg))
            course.poster = course_files.keep_poster(course.pk, jpeg).path
            if not Course.objects.filter(pk=course.pk).update(poster=course.poster):
                raise NotFound
    except OSError as error:
        raise Unavailable(NO_ROOM) from error


def do_remove_poster(course: Course) -> None:
    Course.objects.filter(pk=course.pk).update(poster="")


def do_remove_caption(lesson: Lesson, language: str) -> None:
    """Its file stays for those who are fetching it. Raises NotFound."""
    deleted, _ = Caption.objects.filter(lesson=lesson, language=language).delete()
    if not deleted:
        raise NotFound


def do_add_attachment(lesson: Lesson, name: str, pieces: Iterable[bytes], size: int) -> Attachment:
    """Keeps a file for the lesson under a name that is safe to save it as. `size`: of the file, in bytes.

    Raises TooLarge, Invalid, Unavailable; NotFound if the lesson was deleted meanwhile.
    """
    check_size(size)
    attachment = uuid7()
    try:
        kept = course_files.keep_attachment(attachment, pieces)
    except OSError as error:
        raise Unavailable(NO_ROOM) from error
    try:
        with transaction.atomic():
            if not Lesson.objects.select_for_update().filter(pk=lesson.pk).exists():
                raise NotFound
            if lesson.attachments.count() >= MOST_ATTACHMENTS:
                raise Invalid(errors={"file": [f"A lesson may have at most {MOST_ATTACHMENTS} files."]})
            row = attachment_row(lesson, name, kept)
            row.pk = attachment
            row.save(force_insert=True)
            return row
    except BaseException:
        course_files.drop(kept.path)
        raise


def do_remove_attachment(attachment: Attachment) -> None:
    """Nobody gets it any more; the file stays for those who are fetching it. Twice is as good as once."""
    Attachment.objects.filter(pk=attachment.pk).delete()


def check_size(size: int) -> None:
    """Raises TooLarge, or Invalid for an empty file."""
    if size > LARGEST_ATTACHMENT:
        raise TooLarge(f"A file may have at most {LARGEST_ATTACHMENT // 2**20} MiB.")
    if size == 0:
        raise Invalid(errors={"file": ["The file is empty."]})


def attachment_row(lesson: Lesson, name: str, kept: Kept) -> Attachment:
    """Not saved yet."""
    name = safe_name(name)
    return Attachment(
        lesson=lesson,
        name=name,
        content_type=TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream"),
        size_bytes=kept.size_bytes,
        sha256=kept.sha256,
        path=kept.path,
    )


def safe_name(name: str) -> str:
    """The last part of a path, without what cannot be seen or turns the direction of text (category C), no hidden file."""
    last = unicodedata.normalize("NFC", name.replace("\\", "/")).rpartition("/")[2]
    seen = "".join(letter for letter in last if not unicodedata.category(letter).startswith("C")).strip(" .")
    path = PurePosixPath(seen or "file")
    suffix = path.suffix[:20]
    return path.stem[: LONGEST_NAME - len(suffix)] + suffix
