"""The power goes at the moment when a row is written that refers to files: they are there afterwards, whole and readable."""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from PIL import Image

from courses.models import Course
from media.actions import Outcome, do_add_video, do_package, do_set_caption
from media.file_actions import do_add_attachment, do_set_poster
from media.models import Attachment, Caption, Package, VideoAsset
from tests.factories import make_course, make_lesson

pytestmark = pytest.mark.skipif(os.name == "nt", reason="folders are not flushed on Windows")
SRT = b"1\n00:00:01,000 --> 00:00:02,000\nFlour\n"


class Disk:
    """What would be there after a power cut: of each file and folder, what it was when it was flushed last."""

    def __init__(self, monkeypatch):
        self._flushed = {}
        fsync = os.fsync

        def noting(descriptor):
            fsync(descriptor)
            self._flushed[os.fstat(descriptor).st_ino] = state(Path(os.readlink(f"/proc/self/fd/{descriptor}")))

        monkeypatch.setattr(os, "fsync", noting)

    def lost(self, root):
        """The names below `root` that would be missing, or other than they are now."""
        names = [path for path in root.rglob("*") if ".work" not in path.relative_to(root).parts]
        return sorted(
            path.relative_to(root).as_posix() for path in names if path.name[0] != "." and not self._outlasts(path)
        )

    def _outlasts(self, path):
        above = self._flushed.get(path.parent.stat().st_ino, ())
        return path.name in above and (path.is_dir() or self._flushed.get(path.stat().st_ino) == state(path))


def state(path):
    """A folder's entries, or a file's content (by its times) and mode."""
    if path.is_dir():
        return {each.name for each in path.iterdir()}
    about = path.stat()
    return about.st_size, about.st_mtime_ns, oct(about.st_mode)


@contextmanager
def the_power_goes_at(model, disk, root):
    """At each statement that writes a row of `model`; gives what is lost each time."""
    lost = []

    def look(execute, statement, *rest):
        if statement.startswith(("INSERT", "UPDATE")) and model._meta.db_table.split('"')[-2:][0] in statement:
            lost.append(disk.lost(root))
        return execute(statement, *rest)

    with connection.execute_wrapper(look):
        yield lost


@pytest.fixture
def disk(monkeypatch, media_root, settings):
    """With folders that are there for long, and a umask that lets nobody else read."""
    for folder in (media_root, settings.UPLOADS_ROOT):
        folder.mkdir(parents=True)
    before = os.umask(0o077)
    yield Disk(monkeypatch)
    os.umask(before)


@pytest.fixture
def lesson(database):
    return make_lesson(make_course(lessons=0).sections.get(), kind="video")


def test_a_package(lesson, clip, disk, media_root, settings):
    with the_power_goes_at(VideoAsset, disk, settings.UPLOADS_ROOT) as lost:
        asset = do_add_video(lesson, clip)
    assert lost == [[]]
    (source,) = (path for path in settings.UPLOADS_ROOT.rglob("*") if path.is_file())
    assert disk._outlasts(source)
    with the_power_goes_at(Package, disk, media_root) as lost:
        assert do_package(asset.id) is Outcome.SETTLED
    assert lost
    assert not any(lost)
    assert (media_root / Package.objects.get().path / "package.json").is_file()


def test_captions_files_and_posters(lesson, disk, media_root):
    picture = io.BytesIO()
    Image.new("RGB", (64, 36)).save(picture, "PNG")
    picture.seek(0)
    course = lesson.section.course
    for model, act in (
        (Caption, lambda: do_set_caption(lesson, "en", SRT)),
        (Attachment, lambda: do_add_attachment(lesson, "a.txt", [b"flour"], 5)),
        (Course, lambda: do_set_poster(course, picture, 100)),
    ):
        with the_power_goes_at(model, disk, media_root) as lost:
            act()
        assert lost, model
        assert not any(lost), model
    assert len([path for path in media_root.rglob("*") if path.is_file()]) == 3
