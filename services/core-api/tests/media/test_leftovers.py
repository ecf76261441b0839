"""Files that nobody refers to go after a week, and nothing else does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from media import leftovers, storage
from media.actions import do_set_caption
from media.local_store import LocalStore
from media.models import Leftover, Package, VideoAsset
from tests.factories import make_course, make_lesson

Status = VideoAsset.Status
WORDS = b"1\n00:00:01,000 --> 00:00:02,000\n%s\n"
pytestmark = pytest.mark.usefixtures("media_root")


@pytest.fixture
def lesson(database):
    return make_lesson(make_course(lessons=0).sections.get(), kind="video")


@pytest.fixture
def add(clip, media_root):
    """Adds a video in any state, with its files, as packaging would have left them."""

    def add(lesson, status, current=False):
        asset = VideoAsset(lesson=lesson, status=status)
        asset.source = storage.keep_source(asset.id, clip)
        asset.save()
        if status == Status.READY:
            folder = media_root / f"packages/{asset.id}/0123456789abcdef"
            folder.mkdir(parents=True)
            (folder / "master.m3u8").touch()
            path = folder.relative_to(media_root).as_posix()
            facts = {"path": path, "duration_s": 1, "width": 16, "height": 16, "size_bytes": 1}
            Package.objects.create(asset=asset, lesson=lesson, is_current=current, **facts)
        return asset

    return add


def there(asset, media_root):
    """Whether its package and its source are."""
    return (media_root / f"packages/{asset.id}").exists(), storage.source_path(asset.source).exists()


def a_week_later():
    leftovers.collect()
    Leftover.objects.update(noticed_at=timezone.now() - leftovers.KEPT - timedelta(hours=1))
    leftovers.collect()


def test_a_replaced_video_goes_after_a_week(lesson, add, media_root):
    old, new = add(lesson, Status.READY), add(lesson, Status.READY, current=True)
    leftovers.collect()
    assert there(old, media_root) == (True, True)  # for those who play it
    a_week_later()
    assert there(old, media_root) == (False, False)
    assert there(new, media_root) == (True, True)
    assert list(VideoAsset.objects.all()) == [new]
    assert Package.objects.get().asset == new
    leftovers.collect()
    assert not Leftover.objects.exists()


def test_what_is_waiting_failed_or_played_stays(lesson, add, media_root):
    played, queued, failed = (
        add(lesson, Status.READY, current=True),
        add(lesson, Status.QUEUED),
        add(lesson, Status.FAILED),
    )
    a_week_later()
    assert there(played, media_root) == (True, True)
    assert [there(asset, media_root)[1] for asset in (queued, failed)] == [True, True]


def test_a_failed_video_goes_when_another_took_its_place(lesson, add, media_root):
    failed, _new = add(lesson, Status.FAILED), add(lesson, Status.READY, current=True)
    a_week_later()
    assert there(failed, media_root) == (False, False)
    assert VideoAsset.objects.count() == 1


def test_a_deleted_lesson_leaves_nothing(lesson, add, media_root):
    asset = add(lesson, Status.READY, current=True)
    caption = do_set_caption(lesson, "en", WORDS % b"Hello")
    lesson.delete()
    leftovers.collect()
    assert there(asset, media_root) == (True, True)
    assert (media_root / caption.path).exists()
    a_week_later()
    assert there(asset, media_root) == (False, False)
    assert not (media_root / caption.path).exists()


def test_captions_that_are_set_again_stay(lesson, media_root):
    first = do_set_caption(lesson, "en", WORDS % b"Hello").path
    second = do_set_caption(lesson, "en", WORDS % b"Hullo").path
    leftovers.collect()
    assert Leftover.objects.get().path == first
    do_set_caption(lesson, "en", WORDS % b"Hello")
    a_week_later()
    assert (media_root / first).exists()
    assert not (media_root / second).exists()


def test_a_database_restored_in_time_finds_its_files(lesson, add, media_root):
    asset = add(lesson, Status.READY)
    newer = add(lesson, Status.READY, current=True)
    leftovers.collect()
    Leftover.objects.update(noticed_at=timezone.now() - leftovers.KEPT - timedelta(hours=1))
    newer.package.delete()
    newer.delete()
    Package.objects.update(is_current=True)
    leftovers.collect()
    assert there(asset, media_root) == (True, True)


def test_one_that_cannot_be_removed_keeps_no_other_from_it(lesson, add, media_root, monkeypatch):
    old, older = add(lesson, Status.READY), add(lesson, Status.READY)
    add(lesson, Status.READY, current=True)
    remove = LocalStore.remove

    def refused(self, path):
        if str(old.id) in path:
            raise PermissionError(path)
        remove(self, path)

    with monkeypatch.context() as context:
        context.setattr(LocalStore, "remove", refused)
        a_week_later()
    assert there(old, media_root) == (True, True)
    assert there(older, media_root) == (False, False)
    assert Package.objects.filter(asset=old).exists()  # rows and files go together
    a_week_later()
    assert there(old, media_root) == (False, False)


def test_what_was_being_written_when_the_power_went_goes_too(lesson, media_root):
    """A file is written aside, under a name that begins with a dot; what is being packaged stays."""
    kept = do_set_caption(lesson, "en", WORDS % b"Hello").path
    litter = [f"captions/{lesson.pk}/.en-01.vtt.ab", f"attachments/{lesson.pk}/.ab", f"posters/{lesson.pk}/.ab"]
    working = ["packages/.work/0190a3c0/ab/video-360-00000.m4s"]
    for path in [*litter, *working]:
        (media_root / path).parent.mkdir(parents=True, exist_ok=True)
        (media_root / path).write_bytes(b"half")
    a_week_later()
    assert [path for path in [*litter, *working, kept] if (media_root / path).exists()] == [*working, kept]
