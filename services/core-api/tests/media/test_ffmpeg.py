"""How ffmpeg is kept in bounds."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from deploy.embedded.waiting import looks
from media import ffmpeg
from tests import environment

ENDLESS = ["-re", "-f", "lavfi", "-i", "testsrc2", "-f", "null", "-"]


def test_it_is_stopped_when_it_takes_too_long():
    began = time.monotonic()
    with pytest.raises(ffmpeg.FfmpegFailed, match="stopped after"):
        ffmpeg.run(ENDLESS, timeout_s=0.5)
    assert time.monotonic() - began < 10


def test_its_last_words_are_kept():
    with pytest.raises(ffmpeg.FfmpegFailed) as failed:
        ffmpeg.run(["-i", "/nowhere.mp4", "-f", "null", "-"], timeout_s=30)
    assert "No such file" in failed.value.stderr


def test_it_writes_no_file_beyond_the_limit(tmp_path, clip, monkeypatch):
    monkeypatch.setattr(ffmpeg, "LARGEST_FILE", 10_000)
    with pytest.raises(ffmpeg.FfmpegFailed):
        ffmpeg.run(["-i", clip, "-c", "copy", tmp_path / "copy.mp4"], timeout_s=30)
    assert (tmp_path / "copy.mp4").stat().st_size <= 10_000


@pytest.mark.skipif(sys.platform != "linux", reason="needs seccomp: Linux")
def test_it_reaches_no_network():
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(ffmpeg.FfmpegFailed) as failed:
        ffmpeg.run(["-i", f"tcp://127.0.0.1:{server.getsockname()[1]}", "-f", "null", "-"], timeout_s=30)
    assert "Operation not permitted" in failed.value.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_DATA to count mapped memory: Linux")
def test_it_gets_only_so_much_memory(monkeypatch):
    monkeypatch.setattr(ffmpeg, "MEMORY", 100 * 2**20)
    with pytest.raises(ffmpeg.FfmpegFailed):
        ffmpeg.run(
            ["-f", "lavfi", "-i", "color=size=4096x4096:duration=1", "-c:v", "libx264", "-f", "null", "-"], timeout_s=30
        )


def test_it_gets_only_so_much_processor_time(monkeypatch):
    monkeypatch.setattr(ffmpeg, "CORES", 0.02)  # of 50 s: one second
    with pytest.raises(ffmpeg.FfmpegFailed, match=r"status -(9|24)"):
        ffmpeg.run(["-f", "lavfi", "-i", "testsrc2=size=1280x720", "-f", "null", "-"], timeout_s=50)


def test_a_missing_program_is_named(settings):
    settings.FFMPEG = "/nowhere/ffmpeg"
    with pytest.raises(ffmpeg.FfmpegFailed):
        ffmpeg.run(["-version"], timeout_s=30)


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG and /proc: Linux")
def test_it_dies_with_its_worker(tmp_path):
    """kill -9 of a worker leaves no ffmpeg behind that would write on for hours."""
    code = (
        "import django; django.setup(); from media import ffmpeg; real = ffmpeg._start\n"
        "def start(*args):\n    process, err = real(*args); print(process.pid, flush=True); return process, err\n"
        f"ffmpeg._start = start; ffmpeg.run({ENDLESS!r}, timeout_s=60)"
    )
    worker = subprocess.Popen([sys.executable, "-c", code], cwd=environment.SERVICE, stdout=subprocess.PIPE, text=True)
    assert worker.stdout
    child = int(worker.stdout.readline())
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    assert any(not runs(child) for _ in looks(10)), "ffmpeg outlived its worker"


def runs(pid):
    """Whether the process is there and no zombie, which an adopted child is until its new parent looks."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
