"""What importing a course of 500 lessons takes beside the copying of its files, which nobody can do without.

An archive of 200 packaged videos, 200 articles and 100 lessons with a file each. The yardstick takes the same files out of the same
archive, writes each and has it flushed to the disk; ours looks at all of it, does the same and makes the course.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

from bench import ledger
from bench.measure import load, table

WITHIN = 300
VIDEOS, ARTICLES, FILES = 200, 200, 100
SECONDS = 30  # of each video
ARTICLE = "Flour, water and **salt**, and time for the dough to rest.\n\n" * 50
Written = dict[str, Any]


def main() -> None:
    with ExitStack() as ending:
        folder = Path(ending.enter_context(TemporaryDirectory(prefix="lectern-bench-", ignore_cleanup_errors=True)))
        server = ending.enter_context(ledger.server(folder))
        logging.disable(logging.INFO)
        archive = folder / "course.zip"
        write_archive(archive, make_package_of_film(folder))
        with ZipFile(archive) as opened:
            names = [name for name in opened.namelist() if name != "course.json"]
        copying = seconds(lambda: copy_files(archive, folder / "copied", names))
        ledger.use(server.copy(ledger.BASE, "import"))
        spent = import_course(archive)
        rows = [
            ("copying its files", copying),
            *spent.items(),
            ("the import beside its copying", sum(spent.values()) - copying),
        ]
        size = archive.stat().st_size / 1e6
        title = f"A course of {VIDEOS + ARTICLES + FILES} lessons, {len(names):,} files, {size:.0f} MB ({load()})"
        table(title, rows, "s", {"the import beside its copying": "< 10 s"})
        ledger.use(None)


def import_course(archive: Path) -> dict[str, float]:
    """Seconds of each step."""
    from archives.checking import check_archive
    from archives.importing import do_import

    from accounts.models import User
    from courses.models import Lesson

    author = User.objects.create_user("ines", "ines@example.org", "a long password of hers")
    with archive.open("rb") as opened:
        began = time.perf_counter()
        checked, problems = check_archive(opened)
        if checked is None or problems:
            raise RuntimeError(f"the archive has problems: {dict(list(problems.found.items())[:5])}")
        looked = time.perf_counter() - began
        importing = seconds(lambda: do_import(checked, author))
    if (lessons := Lesson.objects.filter(section__course__slug="bread").count()) != VIDEOS + ARTICLES + FILES:
        raise RuntimeError(f"{lessons} lessons were imported")
    return {"looking at all of it": looked, "importing it": importing}


def copy_files(archive: Path, to: Path, names: list[str]) -> None:
    to.mkdir()
    with ZipFile(archive) as opened:
        for name in names:
            with (to / name.replace("/", "_")).open("xb") as file:
                file.write(opened.read(name))
                file.flush()
                os.fsync(file.fileno())


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def make_package_of_film(folder: Path) -> dict[str, bytes]:
    """The files of a real package, by name."""
    from media import ffmpeg
    from media.packaging import FACTS, make_package

    source, package = folder / "film.mp4", folder / "package"
    package.mkdir()
    picture, sound = f"testsrc2=size=426x240:rate=25:duration={SECONDS}", f"sine=duration={SECONDS}"
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
    subprocess.run([ffmpeg.program(), "-v", "error", "-nostdin", *inputs, "-c:a", "aac", str(source)], check=True)
    make_package(source, package, lambda percent: None)
    return {file.name: file.read_bytes() for file in package.iterdir() if file.name != FACTS}


def write_archive(to: Path, package: dict[str, bytes]) -> None:
    with ZipFile(to, "w") as archive:

        def keep(name: str, data: bytes) -> Written:
            archive.writestr(name, data)
            return {"file": name, "sha256": hashlib.sha256(data).hexdigest()}

        lessons = [video(keep, number, package) for number in range(VIDEOS)]
        lessons += [{"kind": "article", "title": f"Article {number}", "body": ARTICLE} for number in range(ARTICLES)]
        lessons += [recipe(keep, number) for number in range(FILES)]
        sections = [{"title": f"Week {n // 25}", "lessons": lessons[n : n + 25]} for n in range(0, len(lessons), 25)]
        course = {"slug": "bread", "title": "Bread", "price": 7}
        document = {"format": "lectern-course", "version": 1, "course": course, "sections": sections}
        archive.writestr("course.json", json.dumps(document))


def video(keep: Callable[[str, bytes], Written], number: int, package: dict[str, bytes]) -> Written:
    files = {name: keep(f"lessons/video-{number}/{name}", data) for name, data in package.items()}
    return {"kind": "video", "title": f"Video {number}", "video": {"package": files}}


def recipe(keep: Callable[[str, bytes], Written], number: int) -> Written:
    kept = keep(f"lessons/recipe-{number}", f"Recipe {number}\n".encode() * 5_000)
    return {"kind": "file", "title": f"Recipe {number}", "attachments": [{"name": f"recipe-{number}.txt", **kept}]}


if __name__ == "__main__":
    main()
