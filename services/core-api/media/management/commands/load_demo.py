"""Loads the demo: courses with real packaged video, and people to try everything with. May be run again."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Avg, Count, Q

from accounts.models import User
from courses.actions import do_publish
from courses.errors import CourseIncomplete
from courses.models import Course
from media.demo.answers import load_answers
from media.demo.courses import load_courses
from media.demo.people import PEOPLE, Accounts, document, load_people, read_accounts, write_accounts
from media.ffmpeg import FfmpegFailed
from media.models import VideoAsset

LOOK_EVERY_S = 0.5
STUCK_S = 600  # without any progress
HINT_S = 20


class Command(BaseCommand):
    help = "Loads two demo courses and some people. Keeps what is there; passwords are made, and told in the accounts file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--accounts-file",
            default="-",
            metavar="PATH",
            help="where the accounts are written, and remembered from one run to the next; - prints them (default)",
        )
        parser.add_argument(
            "--known-accounts",
            type=Path,
            metavar="PATH",
            help="an accounts file of an earlier run, whose passwords stay valid (default: the accounts file itself)",
        )
        parser.add_argument("--wait", action="store_true", help="until all videos are packaged and the courses on sale")

    def handle(self, *args: Any, accounts_file: str, known_accounts: Path | None, wait: bool, **options: Any) -> None:
        to_file = accounts_file != "-"
        known = read_accounts(known_accounts or Path(accounts_file))
        if to_file:
            self.write(Path(accounts_file), known)  # before anybody gets a password that could not be told then
        accounts, renewed = load_people(known)
        load_answers()
        if renewed:
            self.say(f"New passwords for {', '.join(renewed)}: the old ones are not known here any more.")
        if to_file:
            self.write(Path(accounts_file), accounts)
        try:
            courses = load_courses(self.instructor(), self.say)
        except FfmpegFailed as error:
            raise CommandError(f"{error}: {error.stderr.strip()[-500:]}") from error
        if wait:
            self.wait_for_videos(courses)
        for course in courses:
            self.publish(course)
        if not to_file:
            self.stdout.write(json.dumps(document(accounts)))

    def write(self, file: Path, accounts: Accounts) -> None:
        try:
            write_accounts(file, accounts)
        except OSError as error:
            raise CommandError(f"The accounts cannot be written into {file}: {error.strerror}.") from error

    def instructor(self) -> User:
        username = next(person.username for person in PEOPLE if person.key == "instructor")
        return User.objects.named(username).get()

    def wait_for_videos(self, courses: list[Course]) -> None:
        """Says how far the packager is. Raises CommandError if a video failed or nothing moves any more."""
        seen, since, hinted = "", time.monotonic(), False
        while True:
            now, failed = progress(courses)
            if failed:
                raise CommandError("; ".join(f"{asset}: {asset.error}" for asset in failed))
            if now != seen:
                self.say(now)
                seen, since = now, time.monotonic()
            if now == DONE:
                return
            waited = time.monotonic() - since
            if waited > STUCK_S:
                raise CommandError(f"Nothing was packaged for {STUCK_S} s. Is `manage.py packager` running?")
            if waited > HINT_S and not hinted:
                self.say("Waiting for the packager (`manage.py packager`) …")
                hinted = True
            time.sleep(LOOK_EVERY_S)

    def publish(self, course: Course) -> None:
        try:
            do_publish(course)
        except CourseIncomplete:
            self.say(f'"{course}" goes on sale when its videos are packaged: run this again with --wait.')
        else:
            self.say(f'"{course}" is on sale.')

    def say(self, sentence: str) -> None:
        """On stderr: stdout may be the accounts file."""
        print(sentence, file=sys.stderr, flush=True)


DONE = "All videos are packaged."


def progress(courses: list[Course]) -> tuple[str, list[VideoAsset]]:
    """A sentence, and the videos that failed."""
    assets = VideoAsset.objects.filter(lesson__section__course__in=courses)
    numbers = assets.aggregate(
        total=Count("pk"), ready=Count("pk", filter=Q(status=VideoAsset.Status.READY)), percent=Avg("progress")
    )
    failed = list(assets.filter(status=VideoAsset.Status.FAILED).select_related("lesson"))
    if numbers["ready"] == numbers["total"]:
        return DONE, failed
    return f"Packaging: {numbers['ready']} of {numbers['total']} videos, {numbers['percent']:.0f} %", failed
