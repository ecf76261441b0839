"""How long and how loud a source is, and what brings every video to the same loudness (EBU R 128).

Two passes. Measured on ten minutes of stereo, beside the 12.3 s that AAC takes: reading the loudness 1.7 s (ebur128), one constant
gain with a limiter 0.7 s. ffmpeg's loudnorm works at 192 kHz: 28 s in one pass, whose gain changes all the time; 52 s in two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from media import ffmpeg
from media.probe import DAMAGED, Probe, Refused

TARGET = -16.0  # LUFS: AES TD1004 recommends -20 to -16 for streams, measured as in EBU R 128 and ITU-R BS.1770
MOST_GAIN = 20.0  # dB: more would raise a room's noise
SILENCE = -60.0  # LUFS: below, there is nothing to raise
CEILING = 0.84  # of full scale, -1.5 dB: what the limiter lets through, with room for what AAC adds

_INTEGRATED = re.compile(r"Integrated loudness:\s+I:\s+(-?[\d.]+) LUFS")
_STEREO = "aresample=48000:async=1:first_pts=0,aformat=channel_layouts=stereo"
_LOUDNESS = "ebur128=framelog=verbose"
_EVEN = "aresample=48000,aformat=sample_fmts=s16:sample_rates=48000:channel_layouts=stereo"
# Of framecrc: the seconds a tick lasts, and the stream, times of decoding and showing, and duration of each picture.
_TICK = re.compile(r"#tb 0: (\d+)/(\d+)")
_PICTURE = re.compile(r"0,\s*-?\d+,\s*(-?\d+),\s*(\d+),")


@dataclass(frozen=True)
class Measured:
    """`whole_s`: when the last picture and the last sound are over. `gain`: dB to the target loudness.

    `steady`: the sound has one rate and one number of channels throughout, which that of broadcasts and joined files need not.
    """

    whole_s: float
    gain: float
    steady: bool = True


def measure(source: Path, found: Probe) -> Measured:
    """Reads the file once to its end, and decodes its sound. Raises Refused, FfmpegFailed, Stopped.

    Both tracks are read in one go, as they are for encoding: ffmpeg counts from the earlier one of those it reads.
    """
    pictures, reached = _Pictures(1 / found.rate), [0.0]
    outputs = ["-stats_period", "3600", "-map", "0:V:0", "-c", "copy", "-f", "framecrc", "pipe:1"]
    if found.has_audio:
        outputs += ["-map", f"0:a:{found.audio}", "-af", f"{_STEREO},{_LOUDNESS}", "-f", "null", "-"]
    said = ffmpeg.run(
        [*ffmpeg.FROM_STRANGERS, "-i", source, *outputs],
        timeout_s=1800 + found.duration_s,
        on_time=reached.append,
        on_line=pictures,
        level="info",
    )
    loudness = _INTEGRATED.findall(said)
    if found.has_audio and not loudness:
        raise Refused(DAMAGED)
    # Where the sound changes, ffmpeg begins its filters anew, and each of them tells what it heard.
    return Measured(max(reached[-1], pictures.end_s), _gain(loudness), steady=len(loudness) < 2)


def make_even(source: Path, found: Probe, file: Path) -> float:
    """Writes a sound that is not steady to `file`, all of it in 48 kHz and stereo, as its second track; the first is silence from
    time 0 on, so that both count from there. Gives its gain. Raises as `measure`.
    """
    silence = ["-f", "lavfi", "-i", "anullsrc=sample_rate=48000:duration=0.1"]
    inputs: list[str | Path] = [*ffmpeg.FROM_STRANGERS, "-i", source, *silence]
    same_time = ["-map", "0:V:0", "-c", "copy", "-f", "null", "-"]
    tracks: list[str | Path] = ["-map", "1:a", "-map", f"0:a:{found.audio}", "-af:a:1", _EVEN, "-c:a", "flac", file]
    ffmpeg.run([*inputs, *same_time, *tracks], timeout_s=1800 + found.duration_s)
    heard: list[str | Path] = [*ffmpeg.FROM_US, "-i", file, "-map", "0:a:1", "-af", _LOUDNESS, "-f", "null", "-"]
    return _gain(_INTEGRATED.findall(ffmpeg.run(heard, timeout_s=1800 + found.duration_s, level="info")))


class _Pictures:
    """Hears of each picture; knows when the one is over that is shown last, which need not be the file's last."""

    def __init__(self, usual: Fraction) -> None:
        self._usual, self._tick, self.end_s = usual, Fraction(1), 0.0

    def __call__(self, line: str) -> None:
        if picture := _PICTURE.match(line):
            lasting = int(picture[2]) * self._tick or self._usual
            self.end_s = max(self.end_s, float(int(picture[1]) * self._tick + lasting))
        elif tick := _TICK.match(line):
            self._tick = Fraction(int(tick[1]), int(tick[2]))


def _gain(said: list[str]) -> float:
    loudness = float(said[-1]) if said else SILENCE - 1
    return 0.0 if loudness < SILENCE else min(TARGET - loudness, MOST_GAIN)


def levelled(gain: float, whole_s: float) -> str:
    """The filters that make a package's sound: at the target, limited, followed by silence up to `whole_s`."""
    limit = f"alimiter=limit={CEILING}:level=false"
    return f"{_STEREO},volume={gain:.2f}dB,{limit},apad=whole_dur={whole_s:.3f}"
