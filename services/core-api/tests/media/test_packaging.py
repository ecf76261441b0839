"""What packaging makes of real videos, played by ffmpeg."""

from __future__ import annotations

import hashlib
import json
import re
import stat

import pytest

from media import images, playlists
from media.local_store import read_facts
from media.packaging import make_package
from media.probe import Probe
from media.renditions import ladder
from tests.media import clips

FRAME_S = 1001 / 30000


def packaged(tmp_path, **clip):
    source = clips.make(tmp_path / "source.mp4", **clip)
    folder = tmp_path / "package"
    folder.mkdir()
    return folder, make_package(source, folder, lambda percent: None)


def renditions(folder):
    return re.findall(r"RESOLUTION=(\d+x\d+)", (folder / "master.m3u8").read_text())


def test_every_rendition_plays_as_long_as_the_source(package):
    source, folder, facts = package
    duration_s, frames = clips.play(source)
    for name in ("video-480.m3u8", "video-360.m3u8", "progressive.mp4", "master.m3u8"):
        assert clips.play(folder / name) == (pytest.approx(duration_s, abs=FRAME_S), frames), name
    for name, stream in (("audio.m3u8", "0:a:0"), ("progressive.mp4", "0:a:0"), ("master.m3u8", "0:a:0")):
        assert clips.play(folder / name, stream)[0] == pytest.approx(duration_s, abs=0.05), name
    assert facts.duration_s == pytest.approx(duration_s, abs=FRAME_S)


def test_segments_have_equal_borders_in_all_renditions(package):
    _, folder, _ = package
    tracks = [playlists.read(folder / f"video-{height}.m3u8") for height in (480, 360)]
    borders = [[seconds for _, seconds, _ in track.segments] for track in tracks]
    assert borders[0] == borders[1] == [pytest.approx(6.006), pytest.approx(2.002)]
    sound = [seconds for _, seconds, _ in playlists.read(folder / "audio.m3u8").segments]
    assert sound == [pytest.approx(border, abs=0.03) for border in borders[0]]


def test_key_frames_are_two_seconds_apart(package):
    _, folder, _ = package
    for name in ("video-480.m3u8", "video-360.m3u8"):
        said = clips.run(
            "-skip_frame", "nokey", "-i", folder / name, "-fps_mode", "passthrough", "-f", "framehash", "-"
        )
        stamps = [int(line.split(",")[1]) for line in said.splitlines() if line and not line.startswith("#")]
        ticks, second = re.findall(r"#tb 0: (\d+)/(\d+)", said)[0]
        assert [stamp * int(ticks) / int(second) for stamp in stamps] == pytest.approx(
            [0, 2.002, 4.004, 6.006], abs=0.001
        )


def test_the_master_playlist_says_what_the_renditions_are(package):
    _, folder, _ = package
    master = (folder / "master.m3u8").read_text()
    assert renditions(folder) == ["854x480", "640x360"]
    assert re.findall(r'CODECS="(avc1\.64[0-9A-F]{4}),mp4a\.40\.2"', master) == ["avc1.64001F", "avc1.64001E"]
    for name, peak in zip(("video-480", "video-360"), re.findall(r"[:,]BANDWIDTH=(\d+)", master), strict=True):
        needed = playlists.read(folder / f"{name}.m3u8").peak + playlists.read(folder / "audio.m3u8").peak
        assert int(peak) == needed


def test_the_playlists_keep_to_what_apples_players_ask_for(package):
    """RFC 8216, and Apple's HLS Authoring Specification, but for I-frame playlists, which nothing here makes."""
    _, folder, _ = package
    master = (folder / "master.m3u8").read_text()
    assert master.startswith("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n")
    for line in re.findall(r"#EXT-X-STREAM-INF:(.*)", master):
        said = dict(re.findall(r'([A-Z-]+)=("[^"]*"|[^,]*)', line))
        assert said.keys() == {
            *("BANDWIDTH", "AVERAGE-BANDWIDTH", "CODECS", "RESOLUTION", "FRAME-RATE", "AUDIO", "CLOSED-CAPTIONS")
        }
        assert int(said["AVERAGE-BANDWIDTH"]) <= int(said["BANDWIDTH"])
        assert (said["CLOSED-CAPTIONS"], said["FRAME-RATE"]) == ("NONE", "29.970")
    media = {path.name: path.read_text() for path in folder.glob("*.m3u8") if path.name != "master.m3u8"}
    assert media.keys() == {"video-480.m3u8", "video-360.m3u8", "audio.m3u8"}
    for name, text in media.items():
        tags = dict(re.findall(r"(?m)^#(EXT-X-[A-Z-]+):?(.*)$", text))
        assert (tags["EXT-X-VERSION"], tags["EXT-X-TARGETDURATION"], tags["EXT-X-PLAYLIST-TYPE"]) == (
            "7",
            "6",
            "VOD",
        ), name
        assert tags["EXT-X-MAP"] == f'URI="{name.removesuffix(".m3u8")}-init.mp4"'
        assert text.endswith("#EXT-X-ENDLIST\n")
        assert all(float(seconds) < 6.5 for seconds in re.findall(r"#EXTINF:([\d.]+)", text))


def test_playlists_agree_on_the_longest_segment(tmp_path):
    for name, said, longest in (("video-360", 6, "6.000000"), ("audio", 7, "6.016000"), ("odd", 3, "6.520000")):
        lines = f"#EXTM3U\n#EXT-X-TARGETDURATION:{said}\n#EXTINF:{longest},\n{name}-00000.m4s\n"
        (tmp_path / f"{name}.m3u8").write_text(lines)
    playlists.agree(tmp_path)
    said = {path.stem: re.findall(r"TARGETDURATION:(\d+)", path.read_text()) for path in tmp_path.iterdir()}
    assert said == {"video-360": ["7"], "audio": ["7"], "odd": ["7"]}
    (tmp_path / "odd.m3u8").unlink()
    playlists.agree(tmp_path)
    assert "TARGETDURATION:6\n" in (tmp_path / "audio.m3u8").read_text()


def test_the_progressive_file_begins_with_its_index(package):
    _, folder, _ = package
    data = (folder / "progressive.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_sprites_cover_the_whole_video(package):
    _, folder, facts = package
    cues = re.findall(
        r"(\S+) --> (\S+)\n(sprites-\d{3}\.jpg)#xywh=(\d+),(\d+),160,90", (folder / "sprites.vtt").read_text()
    )
    assert [cue[0] for cue in cues] == ["00:00:00.000", "00:00:02.002", "00:00:04.004", "00:00:06.006"]
    assert cues[-1][1] == images.timestamp(facts.duration_s)
    assert [(folder / cue[2]).is_file() for cue in cues] == [True] * 4
    assert [cue[3] for cue in cues] == ["0", "160", "320", "480"]


def test_long_videos_get_several_sheets(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "COLUMNS", 1)
    monkeypatch.setattr(images, "ROWS", 2)
    folder, _ = packaged(tmp_path, rate="5", seconds=9)
    named = re.findall(r"sprites-\d{3}\.jpg", (folder / "sprites.vtt").read_text())
    assert named == ["sprites-001.jpg"] * 2 + ["sprites-002.jpg"] * 2 + ["sprites-003.jpg"]
    assert {path.name for path in folder.glob("sprites-*.jpg")} == set(named)


def test_package_json_knows_every_file(package):
    _, folder, facts = package
    document = json.loads((folder / "package.json").read_text())
    assert set(document["files"]) == {path.name for path in folder.iterdir()} - {"package.json"}
    for name, file in document["files"].items():
        assert file["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert read_facts(folder) == facts


def test_names_are_those_of_the_contract(package):
    _, folder, _ = package
    allowed = re.compile(
        r"master\.m3u8|video-\d+\.m3u8|video-\d+-init\.mp4|video-\d+-\d{5}\.m4s|audio\.m3u8|audio-init\.mp4"
        r"|audio-\d{5}\.m4s|progressive\.mp4|poster\.jpg|sprites\.vtt|sprites-\d{3}\.jpg|package\.json"
    )
    assert [path.name for path in folder.iterdir() if not allowed.fullmatch(path.name)] == []


def test_nginx_may_read_it(package):
    _, folder, _ = package
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_package_that_lacks_a_file_is_none(tmp_path):
    folder, facts = packaged(tmp_path, seconds=1)
    assert read_facts(folder) == facts
    (folder / "poster.jpg").unlink()
    assert read_facts(folder) is None


def test_odd_sizes_become_even(tmp_path):
    folder, facts = packaged(tmp_path, size="333x251", seconds=1, options=["-profile:v", "high444"])
    assert (facts.width, facts.height) == (332, 250)
    assert renditions(folder) == ["332x250"]
    clips.play(folder / "progressive.mp4")


def test_a_silent_video_has_no_audio_group(tmp_path):
    folder, facts = packaged(tmp_path, seconds=3, sound=False)
    assert "AUDIO" not in (folder / "master.m3u8").read_text()
    assert "mp4a" not in (folder / "master.m3u8").read_text()
    assert not list(folder.glob("audio*"))
    assert clips.play(folder / "progressive.mp4")[0] == pytest.approx(facts.duration_s, abs=0.05)


def test_a_phone_held_upright(tmp_path):
    folder, facts = packaged(tmp_path, seconds=1, before=["-display_rotation", "90"])
    assert (facts.width, facts.height) == (180, 320)
    assert renditions(folder) == ["180x320"]


def test_what_a_phone_wrote_into_the_file_stays_private(tmp_path):
    source = clips.make(tmp_path / "source.mp4", seconds=1)
    told = tmp_path / "told.mp4"
    clips.run("-i", source, "-c", "copy", "-metadata", "location=+52.5-013.4/", "-metadata", "comment=at home", told)
    folder = tmp_path / "package"
    folder.mkdir()
    make_package(told, folder, lambda percent: None)
    for name in ("progressive.mp4", "video-180-init.mp4", "audio-init.mp4"):
        data = (folder / name).read_bytes()
        assert b"at home" not in data
        assert b"+52.5" not in data


def test_progress_rises_to_nearly_all(tmp_path):
    source = clips.make(tmp_path / "source.mp4", seconds=6)
    (tmp_path / "package").mkdir()
    told = []
    make_package(source, tmp_path / "package", told.append)
    assert told == sorted(told)
    assert 0 <= told[0] < told[-1] <= 100


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((3840, 2160), ["1920x1080", "1280x720", "854x480", "640x360"]),
        ((1280, 720), ["1280x720", "854x480", "640x360"]),
        ((1920, 800), ["1920x800", "1280x534", "854x356", "640x266"]),
        ((1080, 1920), ["1080x1920", "720x1280", "480x854", "360x640"]),
        ((640, 360), ["640x360"]),
        ((100, 75), ["100x74"]),
        ((1000, 740), ["1000x740", "648x480", "486x360"]),
    ],
)
def test_renditions_are_never_larger_than_the_source(size, expected):
    probe = Probe(*size, rate=25, duration_s=8, audio=0)
    assert [f"{rendition.width}x{rendition.height}" for rendition in ladder(probe)] == expected
