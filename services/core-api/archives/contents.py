"""course.json: the version of the format, what it says, and where it says what cannot be (deploy/course-archive.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from django.core.exceptions import ValidationError
from rest_framework import serializers

from archives.container import READ_ERRORS, Container
from archives.errors import Problems
from courses.languages import validate_language
from courses.models import Lesson
from courses.serializers import CourseChange, LessonCreation, SectionChange

FORMAT, VERSION = "lectern-course", 1
DOCUMENT = "course.json"
LARGEST_DOCUMENT = 16 * 2**20  # bytes
MOST_SECTIONS, MOST_LESSONS, MOST_ATTACHMENTS = 500, 2000, 50
SHA256 = re.compile(r"[0-9a-f]{64}")
SLUG = re.compile(r"[-A-Za-z0-9_]{1,80}")

Where = str


@dataclass(frozen=True)
class File:
    """A file of the archive, by name, and where course.json names it."""

    where: Where
    name: str
    sha256: str
    label: str = ""


@dataclass
class LessonContent:
    where: Where
    fields: dict[str, Any]
    captions: dict[str, File] = field(default_factory=dict)  # by language
    attachments: list[File] = field(default_factory=list)  # their labels are their names
    package: dict[str, File] = field(default_factory=dict)  # by their names in the package


@dataclass
class SectionContent:
    fields: dict[str, Any]
    lessons: list[LessonContent] = field(default_factory=list)


@dataclass
class CourseContent:
    fields: dict[str, Any]
    slug: str = ""
    poster: File | None = None
    sections: list[SectionContent] = field(default_factory=list)

    def lessons(self) -> Iterator[LessonContent]:
        for section in self.sections:
            yield from section.lessons

    def files(self) -> Iterator[File]:
        if self.poster:
            yield self.poster
        for lesson in self.lessons():
            yield from lesson.captions.values()
            yield from lesson.attachments
            yield from lesson.package.values()


def read_document(container: Container, problems: Problems) -> dict[str, Any] | None:
    """course.json as an object of this format and version; None if it is not one."""
    if DOCUMENT not in container.entries:
        problems.add("archive", f"There is no {DOCUMENT} in the archive.")
        return None
    try:
        data = container.read(DOCUMENT, LARGEST_DOCUMENT)
    except READ_ERRORS:
        problems.add(DOCUMENT, "It is damaged.")
        return None
    if len(data) > LARGEST_DOCUMENT:
        problems.add(DOCUMENT, f"It is larger than {LARGEST_DOCUMENT // 2**20} MiB.")
        return None
    try:
        document = json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        problems.add(DOCUMENT, f"It is not JSON in UTF-8: {str(error)[:200]}.")
        return None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        problems.add(DOCUMENT, f'It does not say "format": "{FORMAT}".')
        return None
    if document.get("version") != VERSION or isinstance(document["version"], bool):
        problems.add(f"{DOCUMENT}: version", f"Only version {VERSION} is known here.")
        return None
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


class Reader:
    """Turns the document into a CourseContent, and notes each thing that does not fit with its place."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self._course, self._section, self._lesson = CourseChange(), SectionChange(), LessonCreation()

    def course(self, document: dict[str, Any]) -> CourseContent:
        self._known("", document, {"format", "version", "exported_at", "course", "poster", "sections"})
        about = self._object("course", document.get("course"))
        slug = about.pop("slug", "")
        if not isinstance(slug, str) or (slug and not SLUG.fullmatch(slug)):
            self.problems.add("course.slug", "Use letters, digits, hyphens and underscores.")
            slug = ""
        content = CourseContent(self._fields("course", self._course, about), slug)
        if document.get("poster") is not None:
            content.poster = self._file("poster", document["poster"])
        sections = self._list("sections", document.get("sections"), MOST_SECTIONS)
        content.sections = [self._read_section(f"sections[{i}]", each) for i, each in enumerate(sections)]
        if sum(len(section.lessons) for section in content.sections) > MOST_LESSONS:
            self.problems.add("sections", f"There are more than {MOST_LESSONS} lessons.")
        return content

    def _read_section(self, where: Where, given: Any) -> SectionContent:
        about = self._object(where, given)
        lessons = self._list(f"{where}.lessons", about.pop("lessons", []), MOST_LESSONS)
        section = SectionContent(self._fields(where, self._section, about))
        section.lessons = [self._read_lesson(f"{where}.lessons[{i}]", each) for i, each in enumerate(lessons)]
        return section

    def _fits(self, where: Where, lesson: Lesson) -> None:
        """What the database would refuse about it."""
        try:
            lesson.validate_constraints()
        except ValidationError as error:
            for sentence in error.messages:
                self.problems.add(where, sentence)

    def _read_lesson(self, where: Where, given: Any) -> LessonContent:
        about = self._object(where, given)
        parts = {name: about.pop(name, None) for name in ("captions", "attachments", "video")}
        lesson = LessonContent(where, self._fields(where, self._lesson, about))
        self._fits(where, Lesson(**lesson.fields))
        is_video = lesson.fields.get("kind", Lesson.Kind.VIDEO) == Lesson.Kind.VIDEO
        for name in ("captions", "video"):
            if parts[name] and not is_video:
                self.problems.add(f"{where}.{name}", "Only a lesson of kind video has this.")
        for language, each in self._object(f"{where}.captions", parts["captions"] or {}).items():
            place = f"{where}.captions.{language[:20]}"
            if self._language(place, language) and (file := self._file(place, each, "label", 60)):
                lesson.captions[language] = file
        attachments = self._list(f"{where}.attachments", parts["attachments"] or [], MOST_ATTACHMENTS)
        files = [self._file(f"{where}.attachments[{i}]", each, "name", 1000) for i, each in enumerate(attachments)]
        lesson.attachments = [file for file in files if file]
        if parts["video"] is not None:
            lesson.package = self._read_package(f"{where}.video", parts["video"])
        return lesson

    def _read_package(self, where: Where, given: Any) -> dict[str, File]:
        about = self._object(where, given)
        self._known(where, about, {"package"})
        files = self._object(f"{where}.package", about.get("package"))
        found = {name: self._file(f"{where}.package.{name[:60]}", each) for name, each in files.items()}
        return {name: file for name, file in found.items() if file}

    def _file(self, where: Where, given: Any, label: str = "", longest: int = 0) -> File | None:
        about = self._object(where, given)
        self._known(where, about, {"file", "sha256", label} - {""})
        name, sha256, said = about.get("file"), about.get("sha256"), about.get(label, "") if label else ""
        wrong = [
            (not isinstance(name, str) or not name, "file", "Name a file of the archive."),
            (not isinstance(sha256, str) or not SHA256.fullmatch(sha256), "sha256", "Give its SHA-256 in lower-case hexadecimal."),
            (not isinstance(said, str) or len(said) > longest or not _is_text(said), label, "This is not such a text."),
        ]  # fmt: skip
        for is_wrong, key, sentence in wrong:
            if is_wrong:
                self.problems.add(f"{where}.{key}", sentence)
        return None if any(is_wrong for is_wrong, _, _ in wrong) else File(where, str(name), str(sha256), str(said))

    def _fields(self, where: Where, serializer: Any, about: dict[str, Any]) -> dict[str, Any]:
        """What the API would accept for it."""
        self._known(where, about, set(serializer.fields) - {"position"})
        about.pop("position", None)
        try:
            return dict(serializer.run_validation(about))
        except serializers.ValidationError as error:
            by_field = error.detail if isinstance(error.detail, dict) else {"": error.detail}
            for name, sentences in by_field.items():
                for sentence in _flat(sentences):
                    self.problems.add(f"{where}.{name}".rstrip("."), sentence)
            return {}

    def _language(self, where: Where, language: str) -> bool:
        try:
            validate_language(language)
        except ValidationError:
            self.problems.add(where, "Use an IETF language tag such as en, de or pt-BR.")
            return False
        if len(language) > 12:
            self.problems.add(where, "A language tag has at most 12 characters here.")
            return False
        return True

    def _known(self, where: Where, about: Mapping[str, Any], names: set[str]) -> None:
        for name in about.keys() - names:
            shown = name.encode("ascii", "backslashreplace").decode()[:60]
            self.problems.add(f"{where}.{shown}".strip("."), "This is not a field of the format.")

    def _object(self, where: Where, given: Any) -> dict[str, Any]:
        if isinstance(given, dict):
            return dict(given)
        self.problems.add(where, "This should be an object, {…}.")
        return {}

    def _list(self, where: Where, given: Any, most: int) -> list[Any]:
        if not isinstance(given, list):
            self.problems.add(where, "This should be a list, […].")
            return []
        if len(given) > most:
            self.problems.add(where, f"There are {len(given)}; at most {most} are accepted.")
            return []
        return given


def _is_text(text: str) -> bool:
    """What PostgreSQL can keep."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _flat(sentences: Any) -> list[str]:
    if isinstance(sentences, dict):
        return [sentence for each in sentences.values() for sentence in _flat(each)]
    if isinstance(sentences, list):
        return [sentence for each in sentences for sentence in _flat(each)]
    return [str(sentences)]
