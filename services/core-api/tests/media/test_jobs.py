"""From an uploaded file to the lesson's current package, whatever happens on the way."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest
from django.db import connection

from deploy.embedded.waiting import looks
from media import actions, ffmpeg, storage
from media.actions import Outcome, do_add_video, do_package, do_retry
from media.errors import NothingToRetry, NoVideoLesson
from media.models import Package, VideoAsset
from tests import environment
from tests.factories import make_course, make_lesson
from tests.media import clips

Status = VideoAsset.Status
pytestmark = pytest.mark.usefixtures("media_root")


@pytest.fixture
def lesson(database):
    return make_lesson(make_course(lessons=0).sections.get(), kind="video", title="Kneading")


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def packages_on_disk(media_root):
    """Finished or not, and whatever else lies there."""
    return [path for path in files_below(media_root / "packages") if path.count("/") < 2 and path != ".work"]


def ready(asset, media_root):
    """The asset's package, after checking that there is nothing else."""
    asset.refresh_from_db()
    assert (asset.status, asset.progress, asset.error) == (Status.READY, 100, "")
    package = Package.objects.get(asset=asset)
    assert packages_on_disk(media_root) == [str(asset.id), package.path.removeprefix("packages/")]
    assert clips.play(media_root / package.path / "progressive.mp4")[0] == pytest.approx(package.duration_s, abs=0.05)
    return package


def test_a_video_is_packaged(lesson, ines, clip, media_root):
    asset = do_add_video(lesson, clip, ines)
    assert asset.status == Status.QUEUED
    assert do_package(asset.id) is Outcome.SETTLED
    package = ready(asset, media_root)
    assert package.is_current
    assert package.duration_s == pytest.approx(3, abs=0.05)
    assert (package.width, package.height) == (192, 108)
    assert package.size_bytes > 10_000


def test_nginx_may_enter_the_folders_whatever_our_umask(lesson, clip, media_root):
    before = os.umask(0o077)
    try:
        do_package(do_add_video(lesson, clip).id)
    finally:
        os.umask(before)
    package = media_root / Package.objects.get().path
    modes = {folder: stat.S_IMODE(folder.stat().st_mode) for folder in (package, package.parent, package.parent.parent)}
    assert set(modes.values()) == {0o755}


def test_packaging_twice_makes_one_package(lesson, clip, media_root):
    asset = do_add_video(lesson, clip)
    assert [do_package(asset.id), do_package(asset.id)] == [Outcome.SETTLED] * 2
    ready(asset, media_root)


def test_a_replaced_video_stays_for_those_who_watch_it(lesson, clip, media_root):
    old, new = do_add_video(lesson, clip), do_add_video(lesson, clip)
    for asset in (old, new):
        do_package(asset.id)
    assert [package.is_current for package in Package.objects.order_by("id")] == [False, True]
    assert (media_root / old.package.path / "master.m3u8").is_file()


def test_an_older_video_that_is_ready_later_does_not_come_back(lesson, clip):
    old, new = do_add_video(lesson, clip), do_add_video(lesson, clip)
    for asset in (new, old):
        do_package(asset.id)
    assert Package.objects.get(is_current=True).asset == new


def test_articles_take_no_video(database, clip):
    lesson = make_lesson(make_course(lessons=0).sections.get())
    with pytest.raises(NoVideoLesson):
        do_add_video(lesson, clip)


def test_a_file_that_cannot_be_kept_leaves_nothing(lesson, tmp_path, settings):
    with pytest.raises(FileNotFoundError):
        do_add_video(lesson, tmp_path / "nowhere.mp4")
    assert not VideoAsset.objects.exists()
    assert files_below(settings.UPLOADS_ROOT) == ["imports"]


def test_a_refused_video_tells_its_author_why(lesson, tmp_path, media_root):
    diary = tmp_path / "diary.mp4"
    diary.write_text("Dear diary")
    asset = do_add_video(lesson, diary)
    assert do_package(asset.id) is Outcome.SETTLED
    asset.refresh_from_db()
    assert (asset.status, asset.attempts) == (Status.FAILED, 1)
    assert asset.error.startswith("The file cannot be read as a video.")
    assert packages_on_disk(media_root) == []


def test_a_source_that_is_gone(lesson, clip):
    asset = do_add_video(lesson, clip)
    storage.source_path(asset.source).unlink()
    do_package(asset.id)
    asset.refresh_from_db()
    assert "no longer there" in asset.error


def test_a_source_outside_the_uploads_is_not_read(lesson, clip):
    asset = VideoAsset.objects.create(lesson=lesson, source=f"../../{clip.parent.name}/{clip.name}")
    do_package(asset.id)
    asset.refresh_from_db()
    assert asset.status == Status.FAILED


def kill_while_encoding(monkeypatch, media_root):
    """The next ffmpeg that writes a segment gets kill -9. Gives the event that says so."""
    killed = threading.Event()
    start = ffmpeg._start

    def watch(process):
        while process.poll() is None and not killed.is_set():
            if list((media_root / "packages" / ".work").rglob("video-*-00000.m4s")):
                os.kill(process.pid, signal.SIGKILL)
                killed.set()
            time.sleep(0.005)

    def started(*arguments):
        process, stderr = start(*arguments)
        threading.Thread(target=watch, args=(process,), daemon=True).start()
        return process, stderr

    monkeypatch.setattr(ffmpeg, "_start", started)
    return killed


def test_ffmpeg_is_killed_while_encoding(lesson, tmp_path, media_root, monkeypatch):
    source = clips.make(tmp_path / "long.mp4", seconds=20)
    asset = do_add_video(lesson, source)
    with monkeypatch.context() as context:
        killed = kill_while_encoding(context, media_root)
        assert do_package(asset.id) is Outcome.AGAIN
        assert killed.is_set()
    asset.refresh_from_db()
    assert (asset.status, asset.attempts, asset.failures) == (Status.QUEUED, 1, 1)
    assert packages_on_disk(media_root) == []
    assert do_package(asset.id) is Outcome.SETTLED
    ready(asset, media_root)


@pytest.fixture
def start(committed_db, media_root, settings):
    """Starts another process of the service, such as `start("manage.py", "packager")`; gives it."""
    started = []
    told = {
        "DATABASE_URL": environment.database_address("core", committed_db),
        "LECTERN_MEDIA_ROOT": str(media_root),
        "LECTERN_UPLOADS_ROOT": str(settings.UPLOADS_ROOT),
    }

    def start(*command):
        started.append(subprocess.Popen([sys.executable, *command], cwd=environment.SERVICE, env=os.environ | told))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def wait_until(condition, process, seconds=40):
    for _ in looks(seconds, pause=0.02):
        if condition():
            return
        assert process.poll() is None, "the process ended"
    raise AssertionError(f"not within {seconds} s")


def encoding(media_root):
    return bool(list(media_root.rglob("video-*-00000.m4s")))


def test_the_packager_is_killed_while_encoding(committed_db, lesson, tmp_path, media_root, start):
    asset = do_add_video_unqueued(lesson, clips.make(tmp_path / "long.mp4", seconds=20))
    code = f"import django; django.setup(); from media import actions; actions.do_package('{asset.id}')"
    packager = start("-c", code)
    wait_until(lambda: encoding(media_root), packager)
    packager.kill()
    packager.wait()
    asset.refresh_from_db()
    assert asset.status == Status.PROCESSING
    assert packages_on_disk(media_root) != []  # its litter
    assert do_package(asset.id) is Outcome.SETTLED
    ready(asset, media_root)
    assert asset.attempts == 2


def do_add_video_unqueued(lesson, file):
    """Where commits are real, SQLite would package it at once."""
    asset = VideoAsset(lesson=lesson)
    asset.source = storage.keep_source(asset.id, file)
    asset.save()
    return asset


class Killed(BaseException):
    """As good as kill -9: nothing catches it."""


@pytest.mark.parametrize("at", ["_seal", "put_in_place", "_publish", "_record"])
def test_killed_at_any_other_point(at, lesson, clip, media_root, monkeypatch):
    from media import packaging

    asset = do_add_video(lesson, clip)
    home = {"_seal": packaging, "put_in_place": storage}.get(at, actions)

    def die(*arguments, **options):
        raise Killed

    with monkeypatch.context() as context:
        context.setattr(home, at, die)
        with pytest.raises(Killed):
            do_package(asset.id)
    assert do_package(asset.id) is Outcome.SETTLED
    ready(asset, media_root)


def test_litter_of_others_is_cleared(lesson, clip, media_root):
    work = media_root / "packages" / ".work"
    (work / "0190a3c0" / "ab12").mkdir(parents=True)
    (work / "0190a3c0" / "ab12" / "video-360-00000.m4s").write_bytes(b"x")
    (work / "0190a3c0.lock").touch()
    do_package(do_add_video(lesson, clip).id)
    assert files_below(work) == []


def test_two_packagers_on_one_job_make_one_package(committed_db, lesson, clip, media_root, at_once):
    asset = do_add_video_unqueued(lesson, clip)
    outcomes = at_once(2, lambda number: do_package(asset.id))
    assert set(outcomes) <= {Outcome.SETTLED, Outcome.BUSY}
    assert Outcome.SETTLED in outcomes
    ready(asset, media_root)
    asset.refresh_from_db()
    assert asset.attempts == 1


def test_a_file_limit_is_a_clean_failure(lesson, clip, media_root, monkeypatch):
    asset = do_add_video(lesson, clip)
    monkeypatch.setattr(ffmpeg, "LARGEST_FILE", 8192)
    assert [do_package(asset.id) for _ in range(3)] == [Outcome.AGAIN, Outcome.AGAIN, Outcome.SETTLED]
    asset.refresh_from_db()
    assert (asset.status, asset.error) == (Status.FAILED, actions.GAVE_UP)
    assert packages_on_disk(media_root) == []


def test_a_full_disk_is_said_to_be_one(lesson, clip, media_root, monkeypatch):
    """At the moment when the package gets its place; once there is room, a retry packages the video."""
    asset = do_add_video(lesson, clip)

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(storage, "put_in_place", full)
        for _ in range(3):
            do_package(asset.id)
    asset.refresh_from_db()
    assert (asset.status, asset.error) == (Status.FAILED, actions.DISK_FULL)
    assert packages_on_disk(media_root) == []
    do_retry(asset)
    do_package(asset.id)
    ready(asset, media_root)


def test_a_video_that_kills_the_packager_every_time_is_given_up(lesson, clip):
    asset = do_add_video(lesson, clip)
    VideoAsset.objects.filter(pk=asset.pk).update(status=Status.PROCESSING, attempts=actions.MOST_ATTEMPTS)
    assert do_package(asset.id) is Outcome.SETTLED
    asset.refresh_from_db()
    assert (asset.status, asset.error) == (Status.FAILED, actions.CUT_OFF)


def test_only_what_failed_is_retried(lesson, clip):
    asset = do_add_video(lesson, clip)
    with pytest.raises(NothingToRetry):
        do_retry(asset)


def test_a_lesson_that_was_deleted_meanwhile_leaves_nothing(lesson, clip, media_root, monkeypatch):
    asset = do_add_video(lesson, clip)
    place = storage.put_in_place

    def placed(*arguments):
        lesson.delete()
        return place(*arguments)

    monkeypatch.setattr(storage, "put_in_place", placed)
    assert do_package(asset.id) is Outcome.SETTLED
    assert packages_on_disk(media_root) == []


@pytest.mark.postgres
def test_the_packager_takes_its_jobs_from_the_queue(committed_db, lesson, clip, media_root, start):
    asset = do_add_video(lesson, clip)
    packager = start("manage.py", "packager")
    wait_until(lambda: VideoAsset.objects.get().status == Status.READY, packager)
    ready(asset, media_root)
    packager.terminate()
    assert packager.wait(20) == 0


@pytest.mark.postgres
def test_a_packager_that_is_told_to_end_hands_its_video_back_at_once(committed_db, lesson, tmp_path, media_root, start):
    asset = do_add_video(lesson, clips.make(tmp_path / "long.mp4", size="640x360", seconds=60))
    packager = start("manage.py", "packager")
    wait_until(lambda: encoding(media_root), packager)
    packager.terminate()
    assert packager.wait(15) == 0
    asset.refresh_from_db()
    assert (asset.status, asset.attempts, asset.failures) == (Status.QUEUED, 0, 0)
    assert packages_on_disk(media_root) == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT status FROM procrastinate_jobs WHERE task_name = 'media.package_video'")
        assert cursor.fetchall() == [("todo",)]


def test_on_sqlite_a_video_is_packaged_at_once(committed_db, lesson, clip, media_root, settings):
    if settings.ON_POSTGRES:
        pytest.skip("PostgreSQL has a queue")
    ready(do_add_video(lesson, clip), media_root)
