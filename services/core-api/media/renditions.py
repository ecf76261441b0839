"""The sizes and rates that a video is packaged in. Never larger than the source."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from media.probe import Probe

BOXES = ((1920, 1080), (1280, 720), (854, 480), (640, 360))  # a rendition fits in one of these, or in it on its side
WORTH_IT = 0.85  # a rendition higher than this share of the next larger one is left out
GOP_S = 2
GOPS_A_SEGMENT = 3


@dataclass(frozen=True)
class Rendition:
    width: int
    height: int
    kbit: int  # at most, a second

    @property
    def name(self) -> str:
        return f"video-{self.height}"


@dataclass(frozen=True)
class Timing:
    """One for all renditions of a video, so that their segments have equal borders. A GOP is a whole number of frames."""

    rate: Fraction
    gop: int

    @classmethod
    def of(cls, rate: Fraction) -> Timing:
        return cls(rate, max(1, round(rate * GOP_S)))

    @property
    def gop_s(self) -> Fraction:
        return self.gop / self.rate

    @property
    def segment_s(self) -> Fraction:
        return self.gop_s * GOPS_A_SEGMENT


def ladder(source: Probe) -> list[Rendition]:
    """The renditions of `source`, the largest first."""
    renditions: list[Rendition] = []
    for long_side, short_side in BOXES:
        scale = min(1.0, long_side / max(source.width, source.height), short_side / min(source.width, source.height))
        width, height = _even(source.width, scale), _even(source.height, scale)
        if not renditions or height <= renditions[-1].height * WORTH_IT:
            renditions.append(Rendition(width, height, _kbit(width * height, source.rate)))
    return renditions


def _even(pixels: int, scale: float) -> int:
    """H.264 at 4:2:0 wants even sides."""
    return max(2, min(round(pixels * scale / 2) * 2, pixels // 2 * 2))


def _kbit(pixels: int, rate: Fraction) -> int:
    """About 4,500 at 1080p, 2,200 at 720p, 850 at 360p; half as much again for more than 30 frames a second."""
    return round((400 + pixels / 500) * (1.5 if rate > 30 else 1))
