"""HLS playlists: reading those that ffmpeg wrote, writing the master."""

from __future__ import annotations

import re
from dataclasses import dataclass
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


def h264_codec(init: Path) -> str:
    """The CODECS name of an H.264 track, from the decoder configuration in its initialisation segment (RFC 6381)."""
    data = init.read_bytes()
    configuration = data.index(b"avcC") + 4
    return "avc1." + data[configuration + 1 : configuration + 4].hex().upper()


def master(folder: Path, renditions: list[Rendition], timing: Timing, has_audio: bool) -> str:
    """The text of master.m3u8 for the tracks in `folder`."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    audio = read(folder / "audio.m3u8") if has_audio else Track([])
    if has_audio:
        group = 'TYPE=AUDIO,GROUP-ID="audio",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio.m3u8"'
        lines.append(f"#EXT-X-MEDIA:{group}")
    for rendition in renditions:
        video = read(folder / f"{rendition.name}.m3u8")
        codecs = [h264_codec(folder / f"{rendition.name}-init.mp4"), *([AUDIO_CODEC] if has_audio else [])]
        attributes = [
            f"BANDWIDTH={video.peak + audio.peak}",
            f"AVERAGE-BANDWIDTH={video.average + audio.average}",
            f'CODECS="{",".join(codecs)}"',
            f"RESOLUTION={rendition.width}x{rendition.height}",
            f"FRAME-RATE={float(timing.rate):.3f}",
            *(['AUDIO="audio"'] if has_audio else []),
        ]
        lines += [f"#EXT-X-STREAM-INF:{','.join(attributes)}", f"{rendition.name}.m3u8"]
    return "\n".join(lines) + "\n"
