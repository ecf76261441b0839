"""What cannot be packaged is refused with a sentence its author understands."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from media import probe as probing
from media.probe import Refused, probe
from tests.media import clips


def refusal(file):
    with pytest.raises(Refused) as refused:
        probe(file)
    return str(refused.value)


def test_a_video_as_it_is(clip):
    found = probe(clip)
    assert (found.width, found.height, found.rate, found.has_audio) == (192, 108, Fraction(10), True)
    assert found.duration_s == pytest.approx(3, abs=0.05)


def test_a_playlist_that_calls_itself_a_video_reads_no_other_file(tmp_path, clip):
    """The trick of shared/traps.md: ffmpeg would package whatever local file the playlist names."""
    trick = tmp_path / "trick.mp4"
    trick.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{clip}\n#EXT-X-ENDLIST\n")
    assert "cannot be read as a video" in refusal(trick)
    for listing in (f"ffconcat version 1.0\nfile '{clip}'\n", f"<MPD><BaseURL>file://{clip}</BaseURL></MPD>"):
        trick.write_text(listing)
        assert "cannot be read as a video" in refusal(trick)


@pytest.mark.parametrize("content", [b"Dear diary", b"\0" * 5000, b"\x89PNG\r\n\x1a\n"])
def test_files_that_are_no_videos(tmp_path, content):
    file = tmp_path / "diary.mp4"
    file.write_bytes(content)
    assert "cannot be read as a video" in refusal(file)


def test_an_empty_file(tmp_path):
    (tmp_path / "empty.mp4").touch()
    assert refusal(tmp_path / "empty.mp4") == "The file is empty."


def test_half_an_upload(tmp_path, clip):
    half = tmp_path / "half.mp4"
    half.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    assert "complete" in refusal(half)


def test_sound_alone(tmp_path):
    clips.run("-f", "lavfi", "-i", "sine=duration=1", tmp_path / "song.m4a")
    assert refusal(tmp_path / "song.m4a") == "The file has no video track."


def test_sound_with_a_cover_picture(tmp_path):
    cover = ["-f", "lavfi", "-i", "color=size=64x64:duration=0.04", "-map", "0", "-map", "1", "-c:v", "mjpeg"]
    disposition = ["-frames:v", "1", "-disposition:v", "attached_pic", tmp_path / "song.m4a"]
    clips.run("-f", "lavfi", "-i", "sine=duration=1", *cover, *disposition)
    assert refusal(tmp_path / "song.m4a") == "The file has no video track."


def test_too_long(clip, monkeypatch):
    monkeypatch.setattr(probing, "LONGEST_S", 2)
    assert "longer than" in refusal(clip)


def test_too_large(clip, monkeypatch):
    monkeypatch.setattr(probing, "LARGEST_SIDE", 180)
    assert "192 x 108" in refusal(clip)


def test_a_recording_that_does_not_say_how_long_it_is(tmp_path, clip):
    """Browsers record like that."""
    recording = tmp_path / "recording.mkv"
    clips.run("-i", clip, "-c", "copy", "-live", "1", recording)
    assert probe(recording).duration_s == pytest.approx(3, abs=0.1)


def test_pixels_that_are_not_square(tmp_path):
    file = clips.make(
        tmp_path / "dvd.mp4", size="360x288", seconds=1, options=["-aspect", "16:9", "-profile:v", "high444"]
    )
    assert (probe(file).width, probe(file).height) == (512, 288)


def test_a_picture_on_its_side(tmp_path):
    file = clips.make(tmp_path / "phone.mp4", seconds=1, before=["-display_rotation", "90"])
    assert (probe(file).width, probe(file).height) == (180, 320)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [("30000/1001", Fraction(30000, 1001)), ("24000/1001", Fraction(24000, 1001)), ("120", 60), ("5", 5)],
)
def test_frame_rates(tmp_path, rate, expected):
    assert probe(clips.make(tmp_path / "clip.mp4", rate=rate, seconds=1)).rate == expected


def test_what_the_files_own_words_say_is_not_believed(tmp_path, clip):
    """A text about the video that its site put into it, a track's title, hundreds of chapters."""
    file, chapters = tmp_path / "told.mkv", tmp_path / "chapters.txt"
    lines = [f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={n * 10}\nEND={n * 10 + 10}\ntitle=Part {n}" for n in range(250)]
    chapters.write_text("\n".join([";FFMETADATA1", *lines]))
    text = "Bread\nDuration: 1:02:03\nrotation of 90 degrees, SAR 4:1"
    words = [
        "-metadata",
        f"comment={text}",
        "-metadata:s:v",
        f"title={text}",
        "-metadata:s:a",
        "title=Video: 4000x4000",
    ]
    clips.run(
        "-i", clip, "-i", chapters, "-map", "0:a", "-map", "0:v", "-map_chapters", "1", "-c", "copy", *words, file
    )
    assert probe(file) == replace(probe(clip), duration_s=probe(file).duration_s)
    assert probe(file).duration_s == pytest.approx(3, abs=0.05)
