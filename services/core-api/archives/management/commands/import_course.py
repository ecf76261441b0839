"""Makes a course of an archive."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.management.people import find_person
from archives.checking import check_archive, summary
from archives.importing import do_import
from archives.progress import ProgressBar
from config.problems import Problem


class Command(BaseCommand):
    help = "Makes a draft of an archive that export_course wrote, all of it or nothing. Looks at all of it first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the ZIP file")
        parser.add_argument("--instructor", required=True, metavar="USERNAME", help="whose course it becomes")
        parser.add_argument("--dry-run", action="store_true", help="only list what is wrong with the archive, by place")

    def handle(self, *args: Any, file: Path, instructor: str, dry_run: bool, **options: Any) -> None:
        author = find_person(instructor)
        try:
            with file.open("rb") as opened:
                archive, problems = check_archive(opened)
                for where, sentences in problems.found.items():
                    for sentence in sentences:
                        self.stderr.write(f"{where}: {sentence}")
                if problems or archive is None:
                    raise CommandError("Nothing was imported: the archive has the problems above.")
                if dry_run:
                    told = summary(archive)
                    self.stdout.write(f"It can be imported: {', '.join(f'{k}: {v}' for k, v in told.items())}.")
                    return
                with ProgressBar(archive.size_bytes, self.stderr) as bar:
                    course = do_import(archive, author, bar.advance)
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        except OSError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f'"{course}" is a draft at {course.slug}, taught by {author}.')
