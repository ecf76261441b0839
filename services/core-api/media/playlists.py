"""HLS playlists: reading those that ffmpeg wrote, writing the master."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from media.renditions import Rendition, Timing

AUDIO_CODEC = "mp4a.40.2"  # AAC-LC


@dataclass(frozen=True)
class Track:
    """A media playlist's segments: (name, seconds, bytes) each."""

    segments: list[tuple[str, float, int]]

    @property
    def duration_s(self) -> float:
        return sum(seconds for _, seconds, _ in self.segments)

    @property
    def peak(self) -> int:
        """Bits a second of the segment that needs most (RFC 8216, BANDWIDTH)."""
        return max((round(size * 8 / seconds) for _, seconds, size in self.segments if seconds), default=0)

    @property
    def average(self) -> int:
        return round(sum(size for _, _, size in self.segments) * 8 / self.duration_s) if self.duration_s else 0


def read(playlist: Path) -> Track:
    entries = re.findall(r"(?m)^#EXTINF:([\d.]+),\s*^(?!#)(\S+)$", playlist.read_text(encoding="ascii"))
    return Track([(name, float(seconds), (playlist.parent / name).stat().st_size) for seconds, name in entries])


def with_one_target(texts: Mapping[str, str]) -> dict[str, str]:
    """The media playlists of a package with one target duration: RFC 8216 wants it (6.2.4), and that no segment, rounded to whole
    seconds, is longer (4.3.3.1). ffmpeg rounds each one's own up, and a segment of sound may be some milliseconds over.
    """
    longest = max(float(found) for text in texts.values() for found in re.findall(r"(?m)^#EXTINF:([\d.]+)", text))
    target = f"#EXT-X-TARGETDURATION:{max(1, int(longest + 0.5))}"
    return {name: re.sub(r"(?m)^#EXT-X-TARGETDURATION:\d+$", target, text) for name, text in texts.items()}


def agree(folder: Path) -> None:
    """Gives the media playlists in `folder`, as ffmpeg left them, one target duration."""
    paths = [path for path in folder.glob("*.m3u8") if path.name != "master.m3u8"]
    texts = {path.name: path.read_text(encoding="ascii") for path in paths}
    for name, text in with_one_target(texts).items():
        (folder / name).write_text(text, encoding="ascii", newline="\n")


@dataclass(frozen=True)
class Variant:
    """One track of pictures, as master.m3u8 names it."""

    name: str
    width: int
    height: int
    track: Track
    codec: str


def h264_codec(init: Path) -> str:
    return h264_codec_of(init.read_bytes())


def h264_codec_of(data: bytes) -> str:
    """The CODECS name of an H.264 track, from the decoder configuration in its initialisation segment (RFC 6381)."""
    configuration = data.index(b"avcC") + 4
    return "avc1." + data[configuration + 1 : configuration + 4].hex().upper()


def master(folder: Path, renditions: list[Rendition], timing: Timing, has_audio: bool) -> str:
    """The text of master.m3u8 for the tracks in `folder`."""
    variants = [
        Variant(
            each.name,
            each.width,
            each.height,
            read(folder / f"{each.name}.m3u8"),
            h264_codec(folder / f"{each.name}-init.mp4"),
        )
        for each in renditions
    ]
    return compose(variants, timing.rate, read(folder / "audio.m3u8") if has_audio else None)


def compose(variants: list[Variant], rate: Fraction, sound: Track | None) -> str:
    """The text of master.m3u8. `rate`: frames a second; `sound`: None for a silent video."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    audio = sound or Track([])
    if sound:
        group = 'TYPE=AUDIO,GROUP-ID="audio",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio.m3u8"'
        lines.append(f"#EXT-X-MEDIA:{group}")
    for each in variants:
        attributes = [
            f"BANDWIDTH={each.track.peak + audio.peak}",
            f"AVERAGE-BANDWIDTH={each.track.average + audio.average}",
            f'CODECS="{",".join([each.codec, *([AUDIO_CODEC] if sound else [])])}"',
            f"RESOLUTION={each.width}x{each.height}",
            f"FRAME-RATE={float(rate):.3f}",
            *(['AUDIO="audio"'] if sound else []),
            "CLOSED-CAPTIONS=NONE",  # none inside the pictures; left out, Safari offers some of its own ("Unknown CC")
        ]
        lines += [f"#EXT-X-STREAM-INF:{','.join(attributes)}", f"{each.name}.m3u8"]
    return "\n".join(lines) + "\n"
