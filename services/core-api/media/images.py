"""A package's still pictures: the poster, and the sprites that players show while scrubbing."""

from __future__ import annotations

import math
from pathlib import Path

from media import ffmpeg
from media.renditions import Rendition, Timing

POSTER_AT = 0.1  # of the duration, since videos begin in black
COLUMNS, ROWS = 10, 10
TILE_WIDTH = 160
MOST_TILES = 500


def make_pictures(folder: Path, size: Rendition, timing: Timing, duration_s: float) -> None:
    """poster.jpg; sprites-<nnn>.jpg, sheets of small pictures made from key frames alone; sprites.vtt, which says when each is."""
    key_frames = max(1, math.ceil(duration_s / timing.gop_s - 0.01))
    step = math.ceil(key_frames / MOST_TILES)
    tiles = math.ceil(key_frames / step)
    rows = min(ROWS, math.ceil(tiles / COLUMNS))
    height = max(2, round(TILE_WIDTH * size.height / size.width / 2) * 2)
    filters = f"select=not(mod(n\\,{step})),scale={TILE_WIDTH}:{height},setsar=1,tile={COLUMNS}x{rows}"
    film = [*ffmpeg.FROM_US, "-i", "progressive.mp4"]
    plain = ["-an", "-map_metadata", "-1"]
    poster = ["-map", "0:v", "-frames:v", "1", "-update", "1", "-q:v", "3", *plain, "poster.jpg"]
    sheets = ["-map", "1:v", "-vf", filters, "-fps_mode", "passthrough", "-q:v", "5", *plain, "sprites-%03d.jpg"]
    poster_at = max(0, min(duration_s * POSTER_AT, duration_s - 1 / timing.rate))  # a picture is left from there on
    reading = ["-ss", f"{poster_at:.3f}", *film, "-skip_frame", "nokey", *film]
    ffmpeg.run([*reading, *poster, *sheets], timeout_s=720, folder=folder)
    interval_s = float(timing.gop_s) * step
    cues = [_cue(i, i * interval_s, min((i + 1) * interval_s, duration_s), height, rows) for i in range(tiles)]
    (folder / "sprites.vtt").write_text("WEBVTT\n\n" + "\n".join(cues), encoding="ascii", newline="\n")


def _cue(number: int, start_s: float, end_s: float, height: int, rows: int) -> str:
    sheet, place = divmod(number, COLUMNS * rows)
    x, y = place % COLUMNS * TILE_WIDTH, place // COLUMNS * height
    return (
        f"{timestamp(start_s)} --> {timestamp(end_s)}\nsprites-{sheet + 1:03}.jpg#xywh={x},{y},{TILE_WIDTH},{height}\n"
    )


def timestamp(seconds: float) -> str:
    """WebVTT's hh:mm:ss.ttt."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"
