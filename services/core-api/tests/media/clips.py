"""Source videos for tests, made by ffmpeg."""

from __future__ import annotations

import subprocess

from media import ffmpeg


def make(file, *, size="320x180", rate="25", seconds=3, sound=True, before=(), options=(), frequency=440):
    """A moving test picture with a tone. `options` go before the output's name, `before` to the pass that copies it last."""
    inputs = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}"]
    if sound:
        inputs += ["-f", "lavfi", "-i", f"sine=frequency={frequency}:duration={seconds}"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p" if options else "yuv420p"]
    run(*inputs, *codecs, *(("-c:a", "aac") if sound else ()), *options, file)
    if before:
        turned = file.with_name(f"turned-{file.name}")
        run(*before, "-i", file, "-c", "copy", turned)
        turned.replace(file)
    return file


def run(*arguments):
    done = subprocess.run(
        [ffmpeg.program(), "-nostdin", "-v", "error", "-y", *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def play(file, stream="0:v:0"):
    """Decodes all of a stream; gives its seconds and frames. Any error fails."""
    command = ["-nostdin", "-v", "error", "-xerror", "-i", str(file), "-map", stream, "-f", "null"]
    done = subprocess.run(
        [ffmpeg.program(), *command, "-progress", "pipe:1", "-"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    # Of a master playlist ffmpeg opens all renditions, and complains about those that it drops half-way.
    assert not done.stderr or file.name == "master.m3u8", done.stderr
    facts = dict(line.split("=", 1) for line in done.stdout.splitlines())
    return int(facts["out_time_us"]) / 1e6, int(facts.get("frame", 0))
