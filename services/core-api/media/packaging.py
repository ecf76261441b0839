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

from media import ffmpeg, images, playlists
from media.probe import Probe, probe
from media.renditions import Rendition, Timing, ladder

FACTS = "package.json"
ENCODED = 92  # per cent of the work that the encoding is
SLOWEST = 40  # times the video's length, before encoding is given up


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
    _encode(source, folder, found, renditions, timing, on_progress)
    (folder / "master.m3u8").write_text(
        playlists.master(folder, renditions, timing, found.has_audio), encoding="ascii", newline="\n"
    )
    duration_s = playlists.read(folder / f"{renditions[0].name}.m3u8").duration_s
    _join(folder, renditions[0], found)
    on_progress(95)
    images.make_poster(folder, duration_s)
    images.make_sprites(folder, renditions[0], timing, duration_s)
    on_progress(98)
    return _seal(folder, renditions, timing, duration_s, found)


def _encode(
    source: Path,
    folder: Path,
    found: Probe,
    renditions: list[Rendition],
    timing: Timing,
    on_progress: Callable[[int], None],
) -> None:
    """One ffmpeg for everything: the source is decoded once. Frames come at one constant rate from time 0 on."""
    branches = "".join(f"[{r.height}]" for r in renditions)
    graph = [f"[0:V:0]fps={timing.rate}:start_time=0,split={len(renditions)}{branches}"]
    graph += [f"[{r.height}]scale={r.width}:{r.height},setsar=1,format=yuv420p[v{r.height}]" for r in renditions]
    if found.has_audio:
        graph.append("[0:a:0]aresample=48000:async=1:first_pts=0[audio]")
    arguments: list[str | Path] = ["-threads", str(ffmpeg.THREADS), *ffmpeg.FROM_STRANGERS, "-i", source]
    arguments += ["-filter_complex", ";".join(graph)]
    for rendition in renditions:
        arguments += ["-map", f"[v{rendition.height}]", *_h264(rendition, timing), *_hls(rendition.name, timing)]
    if found.has_audio:
        aac = ["-c:a", "aac", "-b:a", "128k", "-ac", "2"]
        arguments += ["-map", "[audio]", *aac, *_hls("audio", timing)]

    def on_time(seconds: float) -> None:
        on_progress(min(ENCODED, int(seconds / found.duration_s * ENCODED)))

    ffmpeg.run(arguments, timeout_s=600 + SLOWEST * found.duration_s, folder=folder, on_time=on_time)


def _h264(rendition: Rendition, timing: Timing) -> list[str]:
    """Equal key frames in all renditions: a fixed GOP, closed, and none where the scene changes."""
    quality = ["-preset", "veryfast", "-crf", "23", "-profile:v", "high"]
    rate = ["-maxrate", f"{rendition.kbit}k", "-bufsize", f"{2 * rendition.kbit}k"]
    frames = f"keyint={timing.gop}:min-keyint={timing.gop}:scenecut=0:open-gop=0"
    return ["-c:v", "libx264", *quality, *rate, "-x264-params", frames, "-threads", str(ffmpeg.THREADS)]


def _hls(name: str, timing: Timing) -> list[str]:
    segments = ["-hls_time", f"{float(timing.segment_s):.6f}", "-hls_playlist_type", "vod"]
    files = ["-hls_fmp4_init_filename", f"{name}-init.mp4", "-hls_segment_filename", f"{name}-%05d.m4s"]
    # No metadata: a phone writes into a video where it was made.
    plain = ["-map_metadata", "-1", "-map_chapters", "-1"]
    return [*plain, "-f", "hls", *segments, "-hls_segment_type", "fmp4", *files, f"{name}.m3u8"]


def _join(folder: Path, best: Rendition, found: Probe) -> None:
    """The progressive MP4: the best rendition and the sound as they are, in one file, its index first."""
    inputs = [*ffmpeg.FROM_US, "-i", f"{best.name}.m3u8"]
    tracks = ["-map", "0:v:0"]
    if found.has_audio:
        inputs += [*ffmpeg.FROM_US, "-i", "audio.m3u8"]
        tracks += ["-map", "1:a:0"]
    output = ["-c", "copy", "-map_metadata", "-1", "-movflags", "+faststart", "progressive.mp4"]
    ffmpeg.run([*inputs, *tracks, *output], timeout_s=600 + found.duration_s, folder=folder)


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
