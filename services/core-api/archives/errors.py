"""What this app refuses, and the list of what is wrong with an archive."""

from __future__ import annotations

from config.problems import Conflict, Problem, Unavailable

MOST_TOLD = 1000


class ArchiveInvalid(Problem):
    status, code, title = 422, "archive_invalid", "Archive not importable"
    detail = "Nothing was imported: `errors` names what is wrong with the archive, each with its place."


class FilesMissing(Conflict):
    code, title = "files_missing", "Files missing"
    detail = "Some of the course's files are not in storage, so it cannot be exported: `errors` names the lessons."


class CourseTooLarge(Conflict):
    code, title = "course_too_large", "Course too large"
    detail = (
        "The course is larger than what an archive may be, and could not be imported anywhere: `errors` says by what. Divide it"
        " into several courses."
    )


class StoreAway(Unavailable):
    detail = "The storage of videos and captions did not answer. Tell the server's operator, then try again."


class Problems:
    """Sentences by the place that they are about, such as `sections[2].lessons[0].captions.de`."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}
        self._count = 0

    def add(self, where: str, sentence: str) -> None:
        """Both may quote what stands in the archive: half a character, which no answer can carry, becomes "?"."""
        where, sentence = (text.encode(errors="replace").decode() for text in (where, sentence))
        self._count += 1
        if self._count <= MOST_TOLD:
            self.found.setdefault(where, []).append(sentence)
        elif self._count == MOST_TOLD + 1:
            self.found.setdefault("archive", []).append(
                f"There are more than {MOST_TOLD} problems; these are the first."
            )

    def __bool__(self) -> bool:
        return bool(self.found)
