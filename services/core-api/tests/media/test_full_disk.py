"""The disk fills up while a video is taken over or packaged: a clean failure that says so, no litter, and a retry that works."""

from __future__ import annotations

import errno
import os

import pytest

from config.problems import Unavailable
from media import actions, packaging, storage
from media.actions import Outcome, do_add_video, do_package
from media.local_store import LocalStore
from media.models import VideoAsset
from media.whole import check_whole
from tests.media.test_jobs import files_below, lesson, ready

__all__ = ["lesson"]  # a fixture of that module's
FULL = "/dev/full"  # takes nothing: whoever writes there is told ENOSPC, by the kernel
pytestmark = [
    pytest.mark.usefixtures("media_root"),
    pytest.mark.skipif(not os.path.exists(FULL), reason="needs /dev/full: Linux"),
]
# The rest of a package, but for what ffmpeg reads again afterwards: it would read zeros from there without an end.
OTHERS = ["audio-00000.m4s", "master.m3u8", "progressive.mp4", "sprites-001.jpg", "sprites.vtt"]


@pytest.mark.parametrize(
    "name",
    ["video-108-00000.m4s", "poster.jpg", *(pytest.param(name, marks=pytest.mark.long) for name in OTHERS)],
)
def test_it_is_full_when_this_file_is_written(lesson, clip, media_root, monkeypatch, name):
    asset = do_add_video(lesson, clip)
    make = actions.make_package

    def in_a_full_folder(source, folder, on_progress):
        (folder / name).symlink_to(FULL)
        return make(source, folder, on_progress)

    VideoAsset.objects.update(failures=actions.MOST_FAILURES - 1)
    with monkeypatch.context() as context:
        context.setattr(actions, "make_package", in_a_full_folder)
        assert do_package(asset.id) is Outcome.SETTLED
    asset.refresh_from_db()
    assert (asset.status, asset.error) == (VideoAsset.Status.FAILED, actions.DISK_FULL)
    assert files_below(media_root / "packages") == [".work"]


def test_it_is_full_when_the_facts_are_written_and_a_retry_packages_the_video(lesson, clip, media_root, monkeypatch):
    """The last file of all; what came before it is done anew."""
    asset = do_add_video(lesson, clip)
    with monkeypatch.context() as context:
        context.setattr(packaging, "FACTS", FULL)
        assert do_package(asset.id) is Outcome.AGAIN
    assert do_package(asset.id) is Outcome.SETTLED
    ready(asset, media_root)


def box(kind, content):
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def test_a_file_that_was_cut_off_is_known_by_its_boxes(tmp_path):
    large = b"\0\0\0\1mdat" + (16 + 100).to_bytes(8, "big") + bytes(100)
    whole = box(b"moof", bytes(50)) + large
    segment = tmp_path / "video-108-00000.m4s"
    segment.write_bytes(whole)
    check_whole([segment])
    for length in (0, 7, 40, 65, len(whole) - 1):
        segment.write_bytes(whole[:length])
        with pytest.raises(OSError, match="No space left"):
            check_whole([segment])
    playlist = tmp_path / "video-108.m3u8"
    playlist.write_text("#EXTM3U\n#EXTINF:6,\nvideo-108-00000.m4s\n")
    with pytest.raises(OSError, match="No space left"):
        check_whole([playlist])
    playlist.write_text(playlist.read_text() + "#EXT-X-ENDLIST\n")
    check_whole([playlist])


def test_it_is_full_when_a_video_is_taken_over(lesson, clip, settings, monkeypatch):
    def make_full_folder(folder):
        folder.mkdir(parents=True)
        (folder / f"source{clip.suffix}").symlink_to(FULL)

    monkeypatch.setattr(storage, "make_folder", make_full_folder)
    with pytest.raises(OSError, match="No space left"):
        do_add_video(lesson, clip)
    assert not VideoAsset.objects.exists()
    assert files_below(settings.UPLOADS_ROOT) == ["imports"]


def test_it_is_so_full_that_nothing_can_be_begun(lesson, clip, media_root, monkeypatch):
    """Not even a folder to work in can be made: its author is told all the same, and may retry."""
    asset = do_add_video(lesson, clip)

    def full(folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(storage, "make_folder", full)
        assert [do_package(asset.id) for _ in range(3)] == [Outcome.AGAIN, Outcome.AGAIN, Outcome.SETTLED]
    asset.refresh_from_db()
    assert (asset.status, asset.error) == (VideoAsset.Status.FAILED, actions.DISK_FULL)
    actions.do_retry(asset)
    assert do_package(asset.id) is Outcome.SETTLED
    ready(asset, media_root)


def test_it_is_full_when_captions_come(lesson, monkeypatch):
    def full(self, path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(LocalStore, "write", full)
    with pytest.raises(Unavailable, match="no room"):
        actions.do_set_caption(lesson, "en", b"1\n00:00:01,000 --> 00:00:02,000\nHello\n")
