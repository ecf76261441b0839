"""Takes a video file, and its captions, as a lesson's."""

from __future__ import annotations

import uuid
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from config.problems import Problem
from courses.models import Lesson
from media.actions import do_add_video, do_set_caption
from media.captions import CaptionRefused


class Command(BaseCommand):
    help = "Imports a video file into a lesson and queues its packaging. Whoever watches the lesson's old video finishes it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("lesson", type=uuid.UUID, help="the lesson's id")
        parser.add_argument("file", type=Path, help="an MP4, MOV, MKV, WebM, AVI or MPEG file")
        parser.add_argument(
            "--caption",
            action="append",
            default=[],
            metavar="LANGUAGE=FILE",
            help="captions in SRT or WebVTT, such as en=lesson.srt; may be given several times",
        )

    def handle(self, *args: Any, lesson: uuid.UUID, file: Path, caption: list[str], **options: Any) -> None:
        found = Lesson.objects.filter(pk=lesson).first()
        if found is None:
            raise CommandError(f"There is no lesson {lesson}.")
        try:
            for language, _, path in (each.partition("=") for each in caption):
                do_set_caption(found, language, Path(path).read_bytes())
            asset = do_add_video(found, file)
        except (Problem, CaptionRefused, OSError) as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        asset.refresh_from_db()
        self.stdout.write(f"Video {asset.id} of lesson {found.id}: {asset.status}. {asset.error}".rstrip())
