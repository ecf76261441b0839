"""What a source video is, as ffmpeg reads it; and whether it can be packaged at all.

ffmpeg's own description of a file is read, not ffprobe's: the package imageio-ffmpeg brings no ffprobe.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from media import codecs, ffmpeg

LONGEST_S = 8 * 3600
LARGEST_SIDE = 4096  # pixels; 8K would need more memory than ffmpeg gets
FASTEST = 60  # frames a second; more is thinned out
SLOWER_VARIABLE = 30  # what pictures that come when they like are brought to
DEFAULT_RATE = Fraction(25)
DESCRIPTION_LINES = 20_000  # of a file with hundreds of chapters, and a text in its metadata

_DURATION = re.compile(r"(?m)^  Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")  # not one in the words that a file carries
_SIZE = re.compile(r", (\d+)x(\d+)(?=[ ,\n])")
_PIXEL_ASPECT = re.compile(r"SAR (\d+):(\d+)")
_ROTATION = re.compile(r"(?i)display ?matrix: rotation of (-?[\d.]+) degrees")
_RATE = re.compile(r"([\d.]+)(k?) (fps|tbr)")
_CODEC = re.compile(r": (?:Video|Audio): (\w+)")
_EMPTY = re.compile(r"\b0 channels\b")  # announced, as some recorders do, but nothing of it is there
_PICTURE = re.compile(r"\((?:attached pic|timed thumbnails|still image)\)")
_INTERLACED = re.compile(r"\b(?:top|bottom) (?:first|coded first)")
_HDR = re.compile(r"\b(?:smpte2084|arib-std-b67)\b")
_HDR_UNTOLD = re.compile(r"\bunknown/[\w-]+/(?:smpte2084|arib-std-b67)|/unknown/(?:smpte2084|arib-std-b67)")
_ODD_COLOURS = re.compile(r"[( ](ycgco[\w-]*|bt2020c|chroma-derived-n?c|ictcp|ipt-c2|smpte2085)/")
_DOLBY_VISION_ALONE = re.compile(r"DOVI configuration record:.*compatibility id: 0\b")
_NTSC = {Fraction(s): Fraction(n, 1001) for s, n in (("23.98", 24000), ("29.97", 30000), ("59.94", 60000))}

UNREADABLE = "The file cannot be read as a video. It should be a complete MP4, MOV, MKV, WebM, AVI or MPEG file."
DAMAGED = "The file is damaged: it cannot be read to its end."


class Refused(Exception):
    """This video will never be packaged; the message tells its author why."""


@dataclass(frozen=True)
class Probe:
    """`width` and `height` as shown: turned upright, square pixels. `rate` in frames a second, constant from here on.

    `audio`: which of the file's sound tracks is used, counted from 0; None where there is none. `colours_told`: its range is no
    high one, or the file says how its colours are meant.
    """

    width: int
    height: int
    rate: Fraction
    duration_s: float
    audio: int | None
    interlaced: bool = False
    hdr: bool = False
    colours_told: bool = True

    @property
    def has_audio(self) -> bool:
        return self.audio is not None


def probe(source: Path) -> Probe:
    """Reads `source`. Raises Refused with a sentence for the author; OSError where the file cannot be opened."""
    with source.open("rb") as file:
        if not file.read(1):
            raise Refused("The file is empty.")
    streams, header = _describe(source)
    video = next((s for s in streams if ": Video: " in _first(s) and not _PICTURE.search(_first(s))), None)
    if video is None:
        raise Refused("The file has no video track.")
    _check_codec(video, codecs.VIDEO, "pictures", "MP4 with H.264")
    width, height = _shown_size(video)
    if max(width, height) > LARGEST_SIDE:
        raise Refused(
            f"The picture is {width} x {height}: the largest side may be {LARGEST_SIDE} pixels. Export it in 4K."
        )
    if _DOLBY_VISION_ALONE.search(video):
        raise Refused(
            "The video is in Dolby Vision without a fallback. Export it in HDR10, HLG or standard range (SDR)."
        )
    described = _first(video)
    if odd := _ODD_COLOURS.search(described):
        raise Refused(
            f"The colours are stored as {odd[1]}, which is not accepted. Export the video as MP4 with H.264 in BT.709."
        )
    duration_s = _duration(header) or _measured_duration(source)
    if duration_s <= 0:
        raise Refused("The video has no length.")
    if duration_s > LONGEST_S:
        raise Refused(f"The video is longer than {LONGEST_S // 3600} hours. Split it into several lessons.")
    return Probe(
        width,
        height,
        _rate(described),
        duration_s,
        _audio([_first(s) for s in streams if ": Audio: " in _first(s)]),
        interlaced=bool(_INTERLACED.search(described)),
        hdr=bool(_HDR.search(described)),
        colours_told=not _HDR_UNTOLD.search(described),
    )


def _describe(source: Path) -> tuple[list[str], str]:
    """ffmpeg's description of each stream, and what it says before the first."""
    try:
        reading: list[str | Path] = [*ffmpeg.FROM_STRANGERS, "-i", source]
        said = ffmpeg.run(reading, timeout_s=120, level="info", lines=DESCRIPTION_LINES)
    except ffmpeg.FfmpegFailed as failure:  # as it must: no output was asked for
        said = failure.stderr
    if "Input #0" not in said:
        raise Refused(UNREADABLE)
    header, *streams = re.split(r"(?m)^\s*Stream #0:", said.split("Input #0", 1)[1])
    return streams, header


def _first(stream: str) -> str:
    """The line that ffmpeg says of a stream itself; those behind it are words that the file carries, and side data."""
    return stream.partition("\n")[0]


def _check_codec(stream: str, allowed: frozenset[str], what: str, instead: str) -> None:
    found = _CODEC.search(stream)
    name = found[1] if found else "none"
    if name == "none":
        raise Refused(f"The {what} cannot be decoded. Export the video again as {instead}.")
    if name not in allowed:
        raise Refused(f"The {what} are in {name}, which is not accepted. Export the video as {instead}.")


def _audio(tracks: list[str]) -> int | None:
    """The track that the file calls its default, else the first, of those that can be decoded. None too where no sound came."""
    filled = [number for number, track in enumerate(tracks) if not _EMPTY.search(track)]
    usable = [number for number in filled if _codec(tracks[number]) in codecs.AUDIO]
    if filled and not usable:
        _check_codec(tracks[filled[0]], codecs.AUDIO, "sounds", "MP4 with AAC sound")
    return next((number for number in usable if "(default)" in tracks[number]), usable[0] if usable else None)


def _codec(track: str) -> str:
    found = _CODEC.search(track)
    return found[1] if found else ""


def _shown_size(video: str) -> tuple[int, int]:
    found = _SIZE.search(_first(video) + "\n")
    if not found:
        raise Refused("The pictures cannot be decoded. Export the video again as MP4 with H.264.")
    width, height = int(found[1]), int(found[2])
    if (aspect := _PIXEL_ASPECT.search(_first(video))) and int(aspect[1]) and int(aspect[2]):
        width = round(width * int(aspect[1]) / int(aspect[2]))
    rotation = _ROTATION.search(video)
    if rotation and round(float(rotation[1])) % 180:
        width, height = height, width
    if min(width, height) < 16:
        raise Refused(f"The picture is only {width} x {height}.")
    return width, height


def _rate(video: str) -> Fraction:
    """The rate to bring the pictures to. Where average (fps) and base rate (tbr) differ, they come when they like.

    Twice the average is no difference: those are fields, or how some files count.
    """
    spoken = {unit: Fraction(number) * (1000 if k else 1) for number, k, unit in _RATE.findall(video)}
    average, base = spoken.get("fps"), spoken.get("tbr")
    rate = average or base
    if not rate:
        return DEFAULT_RATE
    regular = not average or not base or any(abs(base / average - times) < Fraction(1, 20) for times in (1, 2))
    if rate >= 1000 or (not regular and rate <= SLOWER_VARIABLE):
        return Fraction(SLOWER_VARIABLE)
    return _NTSC.get(rate) or Fraction(min(max(round(rate), 1), FASTEST))


def _duration(header: str) -> float | None:
    found = _DURATION.search(header)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else None


def _measured_duration(source: Path) -> float:
    """When the last picture ends, in seconds, whatever the file says. Raises Refused."""
    reached = [0.0]
    copy: list[str | Path] = [*ffmpeg.FROM_STRANGERS, "-i", source, "-map", "0:V:0", "-c", "copy", "-f", "null", "-"]
    try:
        ffmpeg.run(copy, timeout_s=1800, on_time=reached.append)
    except ffmpeg.FfmpegFailed:
        raise Refused(DAMAGED) from None
    return reached[-1]
