"""Videos as people have them: packaged, or refused with a sentence that their author understands."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise

import pytest

from media import ffmpeg, probe, sound
from media.packaging import make_package
from media.probe import Refused
from tests.media import clips

TONE = ["-f", "lavfi", "-i"]


def packaged(tmp_path, source):
    folder = tmp_path / "package"
    folder.mkdir()
    return folder, make_package(source, folder, lambda percent: None)


def refusal(source, tmp_path):
    with pytest.raises(Refused) as refused:
        packaged(tmp_path, source)
    return str(refused.value)


def lengths(folder):
    """Seconds of the pictures and of the sound."""
    return clips.play(folder / "progressive.mp4")[0], clips.play(folder / "progressive.mp4", "0:a:0")[0]


def pixel(folder, at=0.5):
    """Red, green, blue in the middle of the progressive MP4's picture."""
    command = ["-v", "error", "-ss", str(at), "-i", folder / "progressive.mp4", "-frames:v", "1"]
    scaled = ["-vf", "scale=1:1:flags=area,format=rgb24", "-f", "rawvideo", "-"]
    return tuple(subprocess.check_output([ffmpeg.program(), *map(str, [*command, *scaled])]))


def loudness(file):
    done = subprocess.run(
        [
            ffmpeg.program(),
            "-nostdin",
            "-i",
            str(file),
            "-map",
            "0:a:0",
            "-af",
            "ebur128=framelog=verbose",
            "-f",
            "null",
            "-",
        ],
        capture_output=True,
        text=True,
    )
    return float(re.findall(r"I:\s+(-?[\d.]+) LUFS", done.stderr)[-1])


def test_sound_that_goes_on_after_the_pictures_keeps_the_last_one(tmp_path):
    source = tmp_path / "slides.mp4"
    clips.run(*TONE, "testsrc2=size=64x36:rate=5:duration=1", *TONE, "sine=duration=3", source)
    folder, facts = packaged(tmp_path, source)
    assert facts.duration_s == pytest.approx(3, abs=0.2)
    assert lengths(folder) == pytest.approx((facts.duration_s, facts.duration_s), abs=0.1)


def test_sound_that_ends_before_the_pictures_is_followed_by_silence(tmp_path):
    """A player that has the pictures but no more sound would stop."""
    source = tmp_path / "silence.mp4"
    clips.run(*TONE, "testsrc2=size=64x36:rate=5:duration=3", *TONE, "sine=duration=1", source)
    folder, _facts = packaged(tmp_path, source)
    assert lengths(folder) == (pytest.approx(3, abs=0.1), pytest.approx(3, abs=0.1))


def test_pictures_and_sound_that_begin_later_stay_together(tmp_path, clip):
    """A recording of a broadcast counts from when its sender was switched on; here, sound begins a second after the pictures."""
    source = tmp_path / "recording.ts"
    clips.run("-i", clip, "-itsoffset", "1", "-i", clip, "-map", "0:v", "-map", "1:a", "-c", "copy",
              "-output_ts_offset", "5000", source)  # fmt: skip
    folder, facts = packaged(tmp_path, source)
    assert facts.duration_s == pytest.approx(4, abs=0.2)
    heard = subprocess.run(
        [ffmpeg.program(), "-i", str(folder / "progressive.mp4"), "-af", "silencedetect=n=-40dB:d=0.3", "-f", "null", "-"],
        capture_output=True, text=True,
    ).stderr  # fmt: skip
    assert float(re.findall(r"silence_end: ([\d.]+)", heard)[0]) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("volume", ["-35dB", "12dB"])
def test_every_video_is_equally_loud(tmp_path, volume):
    source = tmp_path / "loud.mov"
    tone = f"sine=frequency=440:duration=3,volume={volume}"
    clips.run(*TONE, "color=size=64x36:rate=5:duration=3", *TONE, tone, "-c:a", "pcm_f32le", source)
    before = loudness(source)
    folder, _facts = packaged(tmp_path, source)
    expected = min(sound.TARGET, before + sound.MOST_GAIN)
    assert loudness(folder / "audio.m3u8") == pytest.approx(expected, abs=0.7)


def test_silence_is_left_as_it_is(tmp_path):
    source = tmp_path / "silent.mp4"
    clips.run(*TONE, "color=size=64x36:rate=5:duration=1", *TONE, "anullsrc=duration=1", "-t", "1", source)
    folder, _facts = packaged(tmp_path, source)
    assert loudness(folder / "audio.m3u8") < -69


def test_of_several_sound_tracks_the_default_one_is_heard(tmp_path):
    source = tmp_path / "languages.mkv"
    clips.run(
        *[*TONE, "color=size=64x36:rate=5:duration=2", *TONE, "sine=frequency=200:duration=2"],
        *[*TONE, "sine=frequency=4000:duration=2", "-map", "0", "-map", "1", "-map", "2"],
        *["-disposition:a:0", "0", "-disposition:a:1", "default", source],
    )
    assert probe.probe(source).audio == 1
    folder, _facts = packaged(tmp_path, source)
    low = tmp_path / "low.wav"
    clips.run("-i", folder / "progressive.mp4", "-af", "lowpass=f=1000", "-vn", low)
    assert loudness(low) < loudness(folder / "progressive.mp4") - 15


def test_high_dynamic_range_becomes_standard(tmp_path):
    """Half grey, told as PQ (a tenth of its peak): neither black nor washed out, and called BT.709."""
    source = tmp_path / "hdr.mp4"
    colours = "color=c=gray:size=64x36:rate=5:duration=1,format=yuv420p10le,setparams=colorspace=bt2020nc"
    clips.run(
        *[*TONE, f"{colours}:color_primaries=bt2020:color_trc=smpte2084:range=tv"],
        *[
            "-c:v",
            "libx264",
            "-colorspace",
            "bt2020nc",
            "-color_primaries",
            "bt2020",
            "-color_trc",
            "smpte2084",
            source,
        ],
    )
    assert probe.probe(source).hdr
    folder, _facts = packaged(tmp_path, source)
    red, green, blue = pixel(folder)
    assert 90 < red < 200
    assert max(red, green, blue) - min(red, green, blue) < 8
    said = subprocess.run([ffmpeg.program(), "-i", folder / "progressive.mp4"], capture_output=True, text=True).stderr
    assert "smpte2084" not in said


def test_interlaced_pictures_are_put_together(tmp_path):
    """Each field shows another shade: woven together they would be a comb of lines."""
    source = tmp_path / "camera.mpg"
    shades = "color=black:size=64x64:rate=50:duration=1,geq=lum='16+mod(97*N,220)':cb=128:cr=128"
    fields = "tinterlace=mode=interleave_top,setfield=tff"
    clips.run(*TONE, f"{shades},{fields}", "-c:v", "mpeg2video", "-flags", "+ildct+ilme", source)
    assert probe.probe(source).interlaced
    folder, _facts = packaged(tmp_path, source)
    command = [ffmpeg.program(), "-v", "error", "-ss", "0.4", "-i", folder / "progressive.mp4", "-frames:v", "1"]
    rows = subprocess.check_output([*command, "-vf", "scale=1:64:flags=area,format=gray", "-f", "rawvideo", "-"])
    assert max(abs(above - below) for above, below in pairwise(rows[8:56])) < 60


def test_pictures_that_come_when_they_like_come_regularly(tmp_path):
    source = tmp_path / "screen.mkv"
    clips.run(
        *[
            *TONE,
            "testsrc2=size=64x36:rate=30:duration=3",
            "-vf",
            "select='lt(n,20)+not(mod(n,15))'",
            "-fps_mode",
            "vfr",
            source,
        ]
    )
    found = probe.probe(source)
    assert found.rate == 30
    folder, facts = packaged(tmp_path, source)
    assert clips.play(folder / "progressive.mp4")[1] == round(facts.duration_s * 30)


def test_a_spoilt_end_is_left_out(tmp_path):
    source = clips.make(tmp_path / "source.mkv", size="64x36", rate="10", seconds=4)
    data = bytearray(source.read_bytes())
    data[-2000:] = b"\xff" * 2000
    source.write_bytes(data)
    folder, facts = packaged(tmp_path, source)
    assert 2 < facts.duration_s <= 4.2
    clips.play(folder / "progressive.mp4")


def test_half_a_video_whose_index_promises_more(tmp_path):
    source = clips.make(
        tmp_path / "source.mp4", size="64x36", rate="10", seconds=8, options=["-movflags", "+faststart"]
    )
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    assert "though it says that it has 8 s" in refusal(source, tmp_path)


def test_codecs_that_nobody_needs_are_not_opened(tmp_path):
    source = tmp_path / "odd.avi"
    clips.run(*TONE, "testsrc2=size=64x36:duration=0.2", "-c:v", "huffyuv", source)
    assert (
        refusal(source, tmp_path)
        == "The pictures are in huffyuv, which is not accepted. Export the video as MP4 with H.264."
    )
    odd = tmp_path / "odd.mkv"
    clips.run(*TONE, "testsrc2=size=64x36:duration=0.2", *TONE, "sine=duration=0.2", "-c:a", "wavpack", odd)
    with pytest.raises(Refused, match="The sounds are in wavpack"):
        probe.probe(odd)


def test_dolby_vision_alone_is_refused(tmp_path, clip, monkeypatch):
    """Nobody here can make such a file: this is how ffmpeg describes one of a telephone's."""
    streams, header = probe._describe(clip)
    streams[0] += "    Side data:\n      DOVI configuration record: version: 1.0, profile: 5, level: 4, rpu flag: 1, el flag: 0, " \
        "bl flag: 1, compatibility id: 0\n"  # fmt: skip
    monkeypatch.setattr(probe, "_describe", lambda source: (streams, header))
    assert refusal(clip, tmp_path).startswith("The video is in Dolby Vision without a fallback.")


def test_8k_is_refused(tmp_path):
    source = tmp_path / "8k.mp4"
    clips.run(*TONE, "color=size=7680x4320:rate=1:duration=1", "-c:v", "mjpeg", "-q:v", "31", source)
    assert refusal(source, tmp_path) == (
        "The picture is 7680 x 4320: the largest side may be 4096 pixels. Export it in 4K."
    )


def pips(file):
    """The seconds at which a tone begins for who hears one sample after another, whatever times the file gives them."""
    command = ["-i", file, "-af", "asetpts=N/SR/TB,silencedetect=n=-30dB:d=0.2", "-vn", "-f", "null", "-"]
    said = subprocess.run([ffmpeg.program(), *map(str, command)], capture_output=True, text=True).stderr
    return [float(at) for at in re.findall(r"silence_end: ([\d.]+)", said)][:-1]  # the last silence ends with the file


def recording(file, *parts):
    """A broadcast's: two seconds of each (size, sampling rate, channels), with a pip half a second after each full one."""
    pip = "aevalsrc='0.5*sin(2000*PI*t)*between(mod(t,1),0.5,0.6)'"
    with file.open("wb") as whole:
        for number, (size, rate, channels) in enumerate(parts):
            part = file.with_name(f"part-{number}.ts")
            source = [*TONE, f"testsrc2=size={size}:rate=25:duration=2", *TONE, f"{pip}:s={rate}:d=2", "-ac", channels]
            codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
            clips.run(*source, *codecs, "-output_ts_offset", 2 * number, part)
            whole.write(part.read_bytes())
    return file


@pytest.mark.parametrize(
    "parts",
    [
        [("64x36", 48000, 2), ("96x72", 48000, 2)],
        [("64x36", 48000, 2), ("64x36", 48000, 1)],
        [("64x36", 48000, 2), ("64x36", 44100, 2)],
    ],
    ids=["size", "channels", "rate"],
)
def test_what_changes_in_the_middle_takes_nothing_out_of_step(tmp_path, parts):
    """Of pictures or sound: ffmpeg begins its filters anew there, and the sound came again after a silence from time 0 on."""
    source = recording(tmp_path / "recording.ts", *parts)
    folder, facts = packaged(tmp_path, source)
    assert facts.duration_s == pytest.approx(4, abs=0.2)
    assert lengths(folder) == pytest.approx((facts.duration_s, facts.duration_s), abs=0.1)
    assert pips(folder / "audio.m3u8") == pytest.approx([0.5, 1.5, 2.5, 3.5], abs=0.1)
    assert not list(folder.glob("*.mka"))


def test_a_sound_that_changes_stays_with_pictures_that_begin_later(tmp_path):
    joined = recording(tmp_path / "joined.ts", ("64x36", 48000, 2), ("64x36", 48000, 1))
    source = tmp_path / "recording.ts"
    clips.run("-itsoffset", "1", "-i", joined, "-i", joined, "-map", "0:v", "-map", "1:a", "-c", "copy", source)
    folder, facts = packaged(tmp_path, source)
    assert facts.duration_s == pytest.approx(5, abs=0.2)
    assert pips(folder / "audio.m3u8") == pytest.approx([0.5, 1.5, 2.5, 3.5], abs=0.1)


@pytest.mark.parametrize("rate", ["25", "30", "60", "30000/1001", "60000/1001"])
def test_the_last_picture_is_there(tmp_path, rate):
    source = clips.make(tmp_path / "source.mp4", size="64x36", rate=rate, seconds=2)
    folder, _facts = packaged(tmp_path, source)
    assert clips.play(folder / "video-36.m3u8")[1] == clips.play(source)[1]


@pytest.mark.parametrize("rate", ["1", "25", "60"])
def test_a_single_picture(tmp_path, rate):
    source = tmp_path / "single.mp4"
    clips.run(*TONE, f"testsrc2=size=64x36:rate={rate}", "-frames:v", "1", source)
    folder, _facts = packaged(tmp_path, source)
    assert clips.play(folder / "progressive.mp4")[1] == 1
    assert {path.name for path in folder.glob("*.jpg")} == {"poster.jpg", "sprites-001.jpg"}


def test_high_range_that_does_not_tell_its_colours_is_taken_for_what_it_comes_in(tmp_path):
    source = tmp_path / "hlg.mp4"
    clips.run(*TONE, "color=c=gray:size=64x36:rate=5:duration=1", "-x264-params", "transfer=arib-std-b67", source)
    found = probe.probe(source)
    assert (found.hdr, found.colours_told) == (True, False)
    folder, _facts = packaged(tmp_path, source)
    red, green, blue = pixel(folder)
    assert 60 < red < 220
    assert max(red, green, blue) - min(red, green, blue) < 8


@pytest.mark.parametrize("colours", ["YCgCo", "bt2020c", "ICtCp"])
def test_colours_that_cannot_be_converted_are_named(tmp_path, colours):
    source = tmp_path / "odd.mp4"
    clips.run(*TONE, "testsrc2=size=64x36:duration=0.2", "-x264-params", f"colormatrix={colours}", source)
    assert refusal(source, tmp_path) == (
        f"The colours are stored as {colours.lower()}, which is not accepted. Export the video as MP4 with H.264 in BT.709."
    )


def test_a_sound_track_that_is_announced_but_empty_is_none(tmp_path):
    """As a recorder leaves it whose microphone was off."""
    source = tmp_path / "muted.ts"
    picture = [*TONE, "testsrc2=size=64x36:rate=5:duration=1", *TONE, "sine=duration=1", "-af", "aselect=0"]
    clips.run(*picture, "-c:v", "libx264", "-c:a", "aac", source)
    folder, _facts = packaged(tmp_path, source)
    assert not list(folder.glob("audio*"))
