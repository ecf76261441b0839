"""Runs ffmpeg: bounded in time, memory, priority, threads and file size, away from the network, its progress told as it goes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from django.conf import settings

from media import codecs

THREADS = 2  # for each decoder and encoder
LARGEST_FILE = 64 * 2**30  # bytes
MEMORY = 1536 * 2**20  # bytes
CORES = 8  # so many may be busy all the time that it has
STDERR_LINES = 400  # of its last words, unless more are asked for

# A playlist that calls itself .mp4 made ffmpeg read other local files: only these containers, only from files.
FROM_STRANGERS = [
    *("-protocol_whitelist", "file", "-format_whitelist", codecs.CONTAINERS),
    *("-codec_whitelist", codecs.WHITELIST),
]
FROM_US = ["-protocol_whitelist", "file"]


class FfmpegFailed(Exception):
    """ffmpeg did not do its work. `stderr` are its last words, for the log; trying again may help."""

    def __init__(self, what: str, stderr: str) -> None:
        self.stderr = stderr
        super().__init__(what)


class Stopped(Exception):
    """This process was told to end; the work is for the next one."""


_running: set[subprocess.Popen[str]] = set()
_stopping = threading.Event()


def stop() -> None:
    """Ends every ffmpeg of this process, for good: whoever waits for one gets Stopped."""
    _stopping.set()
    for process in list(_running):
        process.kill()


def check_stopping() -> None:
    """Raises Stopped once this process was told to end."""
    if _stopping.is_set():
        raise Stopped


def program() -> str:
    """LECTERN_FFMPEG, or `ffmpeg` on the PATH (both by the settings), or the one that the package imageio-ffmpeg brings."""
    if settings.FFMPEG:
        return str(settings.FFMPEG)
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        raise FfmpegFailed("There is no ffmpeg: install it, or set LECTERN_FFMPEG to its path.", "") from None


def run(
    arguments: Sequence[str | Path],
    *,
    timeout_s: float,
    folder: Path | None = None,
    on_time: Callable[[float], None] | None = None,
    on_line: Callable[[str], object] | None = None,
    level: str = "warning",
    lines: int = STDERR_LINES,
) -> str:
    """Runs ffmpeg in `folder` and answers the last `lines` of its stderr.

    `on_time` is called about twice a second with the position reached in the output, in seconds; `on_line` with
    each line of stdout. Raises FfmpegFailed, also after `timeout_s`; Stopped.
    """
    process, stderr = _start([*_OPTIONS, "-v", level, *map(str, arguments)], folder, math.ceil(timeout_s * CORES))
    _running.add(process)
    if _stopping.is_set():
        process.kill()
    overdue = threading.Event()

    def give_up() -> None:
        overdue.set()
        process.kill()

    watchdog = threading.Timer(timeout_s, give_up)
    watchdog.start()
    tail: deque[str] = deque(maxlen=lines)
    listener = threading.Thread(target=tail.extend, args=(stderr,), daemon=True)
    listener.start()
    try:
        _follow(process, on_time, on_line)
        process.wait()
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        _running.discard(process)
        listener.join()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
    said = "".join(tail)
    if overdue.is_set():
        raise FfmpegFailed(f"ffmpeg was stopped after {timeout_s:.0f} s", said)
    if process.returncode and _stopping.is_set():
        raise Stopped
    if process.returncode:
        raise FfmpegFailed(f"ffmpeg ended with status {process.returncode}", said)
    return said


_OPTIONS = ["-hide_banner", "-nostdin", "-y", "-progress", "pipe:1", "-nostats"]


def _start(arguments: list[str], folder: Path | None, cpu_s: int) -> tuple[subprocess.Popen[str], Sequence[str]]:
    command = [program(), *arguments]
    if os.name == "posix":
        launcher = [sys.executable, "-I", "-S", str(Path(__file__).with_name("confined.py"))]
        command = [*launcher, *map(str, (os.getpid(), LARGEST_FILE, MEMORY, cpu_s)), *command]
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # Ctrl-C is for us to handle, not for ffmpeg
    )
    return process, process.stderr  # type: ignore[return-value]  # an open pipe is iterated like a list of lines


def _follow(
    process: subprocess.Popen[str], on_time: Callable[[float], None] | None, on_line: Callable[[str], object] | None
) -> None:
    for line in process.stdout or ():
        name, _, value = line.strip().partition("=")
        if on_time and name == "out_time_us" and value.isdigit():
            on_time(int(value) / 1e6)
        elif on_line:
            on_line(line)
