"""Makes a package of a source video: HLS (fMP4, several sizes, separate audio), a progressive MP4, poster, sprites.

File names are fixed in deploy/contracts.md. A package is written aside and sealed (hashed, flushed to disk, made
readable for nginx); media/storage.py then renames it into place.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from media import encoding, images, playlists
from media.probe import Probe, probe
from media.renditions import Rendition, Timing, ladder
from media.whole import check_whole

FACTS = "package.json"
ENCODED = 92  # per cent of the work that the encoding is


@dataclass(frozen=True)
class Facts:
    """What package.json says of the package."""

    duration_s: float
    width: int
    height: int
    size_bytes: int
    content_hash: str  # 16 hexadecimal digits, of all names and contents


def make_package(source: Path, folder: Path, on_progress: Callable[[int], None]) -> Facts:
    """Fills the empty `folder`. `on_progress` is told per cent. Raises Refused, FfmpegFailed or OSError."""
    found = probe(source)
    renditions, timing = ladder(found), Timing.of(found.rate)
    encoding.encode(source, folder, found, renditions, timing, lambda part: on_progress(int(part * ENCODED)))
    check_whole([*folder.glob("video-*"), *folder.glob("audio*")])
    playlists.agree(folder)
    (folder / "master.m3u8").write_text(
        playlists.master(folder, renditions, timing, found.has_audio), encoding="ascii", newline="\n"
    )
    duration_s = playlists.read(folder / f"{renditions[0].name}.m3u8").duration_s
    encoding.join(folder, renditions[0], found)
    check_whole([folder / "progressive.mp4"])
    on_progress(95)
    images.make_pictures(folder, renditions[0], timing, duration_s)
    on_progress(98)
    return _seal(folder, renditions, timing, duration_s, found)


def _seal(folder: Path, renditions: list[Rendition], timing: Timing, duration_s: float, found: Probe) -> Facts:
    """Flushes every file to disk, makes it readable and writes package.json, which tells a whole package from half a one."""
    files = {path.name: _finish(path) for path in sorted(folder.iterdir())}
    listing = json.dumps(files, sort_keys=True, separators=(",", ":"))
    facts = Facts(
        duration_s=round(duration_s, 6),
        width=renditions[0].width,
        height=renditions[0].height,
        size_bytes=sum(file["size"] for file in files.values()),
        content_hash=hashlib.sha256(listing.encode()).hexdigest()[:16],
    )
    document = {
        "version": 1,
        **vars(facts),
        "frame_rate": str(timing.rate),
        "segment_s": float(timing.segment_s),
        "renditions": [{"width": r.width, "height": r.height} for r in renditions],
        "has_audio": found.has_audio,
        "source": {"width": found.width, "height": found.height, "duration_s": found.duration_s},
        "files": files,
    }
    (folder / FACTS).write_text(json.dumps(document, indent=1), encoding="utf-8")
    _finish(folder / FACTS)
    folder.chmod(0o755)
    return facts


def _finish(path: Path) -> dict[str, Any]:
    path.chmod(0o644)
    with path.open("rb+") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    return {"size": path.stat().st_size, "sha256": digest}
