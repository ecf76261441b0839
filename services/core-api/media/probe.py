"""What a source video is, as ffmpeg reads it; and whether it can be packaged at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from media import ffmpeg

LONGEST_S = 8 * 3600
LARGEST_SIDE = 8192  # pixels
FASTEST = 60  # frames a second; more is thinned out
DEFAULT_RATE = Fraction(25)

_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_SIZE = re.compile(r", (\d+)x(\d+)(?=[ ,\n])")
_PIXEL_ASPECT = re.compile(r"SAR (\d+):(\d+)")
_ROTATION = re.compile(r"rotation of (-?[\d.]+) degrees")
_RATE = re.compile(r"([\d.]+)(k?) (?:fps|tbr)")
_NTSC = {Fraction(s): Fraction(n, 1001) for s, n in (("23.98", 24000), ("29.97", 30000), ("59.94", 60000))}


class Refused(Exception):
    """This video will never be packaged; the message tells its author why."""


@dataclass(frozen=True)
class Probe:
    """`width` and `height` as shown: turned upright, square pixels. `rate` in frames a second, constant from here on."""

    width: int
    height: int
    rate: Fraction
    duration_s: float
    has_audio: bool


def probe(source: Path) -> Probe:
    """Reads `source`. Raises Refused with a sentence for the author; OSError where the file cannot be opened."""
    with source.open("rb") as file:
        if not file.read(1):
            raise Refused("The file is empty.")
    streams, header = _describe(source)
    video = next((s for s in streams if ": Video: " in s and "(attached pic)" not in s), None)
    if video is None:
        raise Refused("The file has no video track.")
    width, height = _shown_size(video)
    if max(width, height) > LARGEST_SIDE:
        raise Refused(f"The picture is {width} x {height}: the largest side may be {LARGEST_SIDE} pixels.")
    duration_s = _duration(header) or _measured_duration(source)
    if duration_s <= 0:
        raise Refused("The video has no length.")
    if duration_s > LONGEST_S:
        raise Refused(f"The video is longer than {LONGEST_S // 3600} hours. Split it into several lessons.")
    return Probe(width, height, _rate(video), duration_s, any(": Audio: " in s for s in streams))


def _describe(source: Path) -> tuple[list[str], str]:
    """ffmpeg's description of each stream, and what it says before the first. There need not be an ffprobe."""
    try:
        said = ffmpeg.run(_reading(source), timeout_s=120, level="info")
    except ffmpeg.FfmpegFailed as failure:  # as it must: no output was asked for
        said = failure.stderr
    if "Input #0" not in said:
        raise Refused(
            "The file cannot be read as a video. It should be a complete MP4, MOV, MKV, WebM, AVI or MPEG file."
        )
    header, *streams = re.split(r"(?m)^\s*Stream #0:", said.split("Input #0", 1)[1])
    return streams, header


def _reading(source: Path) -> list[str | Path]:
    return [*ffmpeg.FROM_STRANGERS, "-i", source]


def _shown_size(video: str) -> tuple[int, int]:
    found = _SIZE.search(video.splitlines()[0] + "\n")
    if not found or "Video: none" in video:
        raise Refused("The video track cannot be decoded.")
    width, height = int(found[1]), int(found[2])
    if (aspect := _PIXEL_ASPECT.search(video)) and int(aspect[1]) and int(aspect[2]):
        width = round(width * int(aspect[1]) / int(aspect[2]))
    rotation = _ROTATION.search(video)
    if rotation and round(float(rotation[1])) % 180:
        width, height = height, width
    if min(width, height) < 16:
        raise Refused(f"The picture is only {width} x {height}.")
    return width, height


def _rate(video: str) -> Fraction:
    found = _RATE.search(video)
    if not found:
        return DEFAULT_RATE
    spoken = Fraction(found[1]) * (1000 if found[2] else 1)
    return _NTSC.get(spoken) or Fraction(min(max(round(spoken), 1), FASTEST))


def _duration(header: str) -> float | None:
    found = _DURATION.search(header)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else None


def _measured_duration(source: Path) -> float:
    """For files that do not say (recordings of a browser): the time of the last packet."""
    reached = [0.0]
    copy = [*_reading(source), "-map", "0:V:0", "-c", "copy", "-f", "null", "-"]
    try:
        ffmpeg.run(copy, timeout_s=600, on_time=reached.append)
    except ffmpeg.FfmpegFailed:
        raise Refused("The file is damaged: it cannot be read to its end.") from None
    return reached[-1]
