"""ffmpeg as a real HLS client: it fetches playlists, keys and segments over HTTP and decodes every frame."""

from __future__ import annotations

import re
import shutil
import subprocess


def ffmpeg() -> str:
    if found := shutil.which("ffmpeg"):
        return found
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def play(url: str, cookie: str = "", stream: str = "0:v:0") -> float:
    """Decodes all of one stream of `url`; answers its duration in seconds. Raises with ffmpeg's words if it cannot."""
    headers = ["-headers", f"Cookie: {cookie}\r\n"] if cookie else []
    command = [ffmpeg(), "-nostdin", "-v", "error", "-xerror", *headers, "-i", url, "-map", stream, "-f", "null"]
    done = subprocess.run([*command, "-progress", "pipe:1", "-"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"ffmpeg could not play {url}: {done.stderr[-1000:]}"
    return int(re.findall(r"out_time_us=(\d+)", done.stdout)[-1]) / 1e6


def variants(master: str) -> list[str]:
    """The renditions that a master playlist names."""
    lines = master.splitlines()
    return [lines[index + 1] for index, line in enumerate(lines) if line.startswith("#EXT-X-STREAM-INF")]
