"""Packages of video that another Lectern made: taken as they are only where each byte of theirs is of a kind that ours has.

Nothing in them is believed: names are matched entirely, playlists are read and written anew, pictures are decoded,
and the films' files must be chains of MP4 boxes (deploy/decisions/0011-archives.md says why that is enough).
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import IO

from PIL import Image

from media import playlists

TRACK = re.compile(r"(video-[1-9][0-9]{0,4}|audio)(\.m3u8|-init\.mp4|-[0-9]{5}\.m4s)")
SHEET = re.compile(r"sprites-[0-9]{3}\.jpg")
ALONE = {"master.m3u8", "progressive.mp4", "poster.jpg", "sprites.vtt"}
SIZE = re.compile(r"RESOLUTION=([0-9]{1,5})x([0-9]{1,5})(?:,|$)")
RATE = re.compile(r"FRAME-RATE=([0-9]{1,3}\.[0-9]{3})(?:,|$)")
SEGMENT = re.compile(r"(?m)^#EXTINF:([0-9]{1,3}\.[0-9]{1,6}),\n([A-Za-z0-9.-]{1,40})$")
CUE = re.compile(r"[0-9:.]{9,15} --> [0-9:.]{9,15}\nsprites-[0-9]{3}\.jpg#xywh=[0-9]{1,5}(?:,[0-9]{1,5}){3}\n")
LARGEST_TEXT = 2 * 2**20  # bytes of a playlist
LARGEST_PICTURE = 16 * 2**20  # bytes
MOST_PIXELS = 16_000_000
LARGEST_INIT = 2**20  # bytes
BOXES = {
    "-init.mp4": {b"ftyp", b"moov", b"free"},
    ".m4s": {b"styp", b"sidx", b"moof", b"mdat", b"free", b"prft", b"emsg"},
    "progressive.mp4": {b"ftyp", b"moov", b"mdat", b"free"},
}

Opened = Callable[[str], IO[bytes]]


class NotOurs(Exception):
    """The message says which file is unlike those that packaging makes, and how."""


@dataclass(frozen=True)
class Checked:
    """A package that may be taken: `texts` are written in the place of its own, by name."""

    texts: dict[str, str]
    duration_s: float
    width: int
    height: int


def check_package(names: set[str], opened: Opened) -> Checked:
    """Looks at each file once. Raises NotOurs, and whatever reading raises."""
    for name in sorted(names):
        if name not in ALONE and not TRACK.fullmatch(name) and not SHEET.fullmatch(name):
            raise NotOurs(f"{name[:60]}: a package has no file of that name")
    if missing := sorted(ALONE - names):
        raise NotOurs(f"{missing[0]} is missing")
    tracks = {match[1] for name in names if (match := TRACK.fullmatch(name))}
    texts, seconds, sizes = {}, {}, {}
    for track in sorted(tracks):
        texts[f"{track}.m3u8"], seconds[track], sizes[track] = _track(track, names, opened)
    texts = playlists.with_one_target(texts)
    sizes_of_pictures = _renditions(_text("master.m3u8", names, opened), tracks)
    best = max(sizes_of_pictures, key=lambda track: sizes_of_pictures[track])
    if max(seconds.values()) - min(seconds.values()) > 2 or not 0 < seconds[best] < 24 * 3600:
        raise NotOurs("its tracks are not equally long")
    texts["master.m3u8"] = _master(_text("master.m3u8", names, opened), sizes_of_pictures, seconds, sizes, opened)
    texts["sprites.vtt"] = _sprites(_text("sprites.vtt", names, opened))
    for name in names:
        if name.endswith(".jpg"):
            _picture(name, opened)
    _boxes("progressive.mp4", opened)
    return Checked(texts, round(seconds[best], 6), *sizes_of_pictures[best])


def _track(track: str, names: set[str], opened: Opened) -> tuple[str, float, list[tuple[float, int]]]:
    """The playlist written anew, its seconds, and (seconds, bytes) of each segment."""
    given = _text(f"{track}.m3u8", names, opened)
    entries = [(float(seconds), name) for seconds, name in SEGMENT.findall(given)]
    own = {name for name in names if name.startswith(f"{track}-") and name.endswith(".m4s")}
    if not entries or [name for _, name in entries] != sorted(own) or f"{track}-init.mp4" not in names:
        raise NotOurs(f"{track}.m3u8 does not name the segments that are there")
    if any(not 0 < seconds <= 60 for seconds, _ in entries):
        raise NotOurs(f"{track}.m3u8 has a segment that is no time, or a minute and more")
    _boxes(f"{track}-init.mp4", opened)
    sizes = [(seconds, _boxes(name, opened)) for seconds, name in entries]
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:0"]  # with_one_target says it
    lines += ["#EXT-X-MEDIA-SEQUENCE:0", "#EXT-X-PLAYLIST-TYPE:VOD", f'#EXT-X-MAP:URI="{track}-init.mp4"']
    lines += [line for seconds, name in entries for line in (f"#EXTINF:{seconds:.6f},", name)]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""]), sum(seconds for seconds, _ in entries), sizes


def _renditions(master: str, tracks: set[str]) -> dict[str, tuple[int, int]]:
    """Width and height by track, of each track of pictures that is there."""
    found = {}
    lines = master.splitlines()
    for about, name in pairwise(lines):
        track = name.removesuffix(".m3u8")
        if about.startswith("#EXT-X-STREAM-INF:") and track in tracks and (size := SIZE.search(about)):
            found[track] = (int(size[1]), int(size[2]))
    if not found or found.keys() != tracks - {"audio"}:
        raise NotOurs("master.m3u8 does not name the tracks that are there")
    return found


def _master(
    given: str,
    renditions: dict[str, tuple[int, int]],
    seconds: dict[str, float],
    sizes: dict[str, list[tuple[float, int]]],
    opened: Opened,
) -> str:
    rate = RATE.search(given)
    if not rate:
        raise NotOurs("master.m3u8 does not tell the frame rate")
    with_sound = playlists.Track([("", *size) for size in sizes["audio"]]) if "audio" in seconds else None
    variants = [
        playlists.Variant(
            name, width, height, playlists.Track([("", *size) for size in sizes[name]]), _codec(name, opened)
        )
        for name, (width, height) in sorted(renditions.items(), key=lambda item: item[1], reverse=True)
    ]
    return playlists.compose(variants, Fraction(rate[1]), with_sound)


def _codec(track: str, opened: Opened) -> str:
    with opened(f"{track}-init.mp4") as file:
        data = file.read(LARGEST_INIT + 1)
    if len(data) > LARGEST_INIT or b"avcC" not in data[:-8]:
        raise NotOurs(f"{track}-init.mp4 is not the beginning of an H.264 video")
    return playlists.h264_codec_of(data)


def _sprites(given: str) -> str:
    cues = CUE.findall(given)
    if "WEBVTT\n\n" + "\n".join(cues) != given.rstrip("\n") + "\n":
        raise NotOurs("sprites.vtt has lines that are no sprites")
    return given


def _picture(name: str, opened: Opened) -> None:
    with opened(name) as file:
        data = file.read(LARGEST_PICTURE + 1)
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as picture:
            small = picture.size[0] * picture.size[1] <= MOST_PIXELS
            picture.verify()
    except Exception:  # Pillow raises all kinds for what is no picture
        raise NotOurs(f"{name} is not a JPEG picture") from None
    if len(data) > LARGEST_PICTURE or not small:
        raise NotOurs(f"{name} is larger than such pictures are")


def _boxes(name: str, opened: Opened) -> int:
    """Bytes of a file that is a chain of MP4 boxes (ISO/IEC 14496-12, 4.2) of the kinds that such a file has."""
    allowed = next(boxes for ending, boxes in BOXES.items() if name.endswith(ending))
    with opened(name) as file:
        total = 0
        while head := file.read(8):
            size, kind, length = int.from_bytes(head[:4]), head[4:], 8
            if size == 1:
                size, length = int.from_bytes(file.read(8)), 16
            if kind not in allowed or size < length or not _skip(file, size - length):
                raise NotOurs(f"{name} is not a chain of the MP4 boxes that such a file has")
            total += size
    if not total:
        raise NotOurs(f"{name} is empty")
    return total


def _skip(file: IO[bytes], count: int) -> bool:
    while count > 0:
        piece = file.read(min(count, 1 << 20))
        if not piece:
            return False
        count -= len(piece)
    return True


def _text(name: str, names: set[str], opened: Opened) -> str:
    if name not in names:
        raise NotOurs(f"{name} is missing")
    with opened(name) as file:
        data = file.read(LARGEST_TEXT + 1)
    if len(data) > LARGEST_TEXT or not data.isascii():
        raise NotOurs(f"{name} is not such a text")
    return data.decode().replace("\r\n", "\n")
