"""Writes a course as an archive."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from archives.exporting import make_export, stream
from archives.progress import ProgressBar
from config.problems import Problem
from courses.models import Course


class Command(BaseCommand):
    help = "Writes a course, its files and packaged videos into one archive (deploy/course-archive.md)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="the course's address")
        parser.add_argument("file", type=Path, help="the ZIP file to write; there must be none of that name yet")

    def handle(self, *args: Any, slug: str, file: Path, **options: Any) -> None:
        course = Course.objects.filter(slug=slug).first()
        if course is None:
            raise CommandError(f"There is no course {slug}.")
        if file.exists():  # told before hours of writing, too
            raise CommandError(f"{file} exists already. Name another file, or take that one away.")
        aside = file.with_name(f".{file.name}.part")
        try:
            export = make_export(course)
            with aside.open("wb") as out, ProgressBar(export.size_bytes, self.stderr) as bar:
                for piece in stream(export):
                    bar.advance(out.write(piece))
            os.link(aside, file)  # unlike a rename it replaces nothing
        except Problem as problem:
            raise CommandError("\n".join([problem.detail, *_sentences(problem)])) from problem
        except OSError as error:
            raise CommandError(str(error)) from error
        finally:
            aside.unlink(missing_ok=True)
        self.stdout.write(f'"{course}" is in {file}: {len(export.entries)} files, {file.stat().st_size} bytes.')


def _sentences(problem: Problem) -> list[str]:
    return [sentence for sentences in (problem.errors or {}).values() for sentence in sentences]
