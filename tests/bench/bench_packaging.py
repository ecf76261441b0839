"""What packaging costs beside the one ffmpeg command in it that encodes: probing, measuring loudness and length, the progressive
MP4, poster, sprites, hashing and flushing.

In processor time, of all processes. The yardstick is that very command, run by itself on the same film.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from django.conf import settings

from bench.measure import BUDGET, table

sys.path.append(str(Path(__file__).resolve().parents[2] / "services" / "core-api"))
from media import ffmpeg
from media.packaging import make_package

WITHIN = 600
SECONDS = max(6, round(10 * BUDGET))  # of film


def main() -> None:
    settings.configure(FFMPEG=shutil.which("ffmpeg") or "", ENCODING_PRESET="veryfast")
    rows = []
    for name, size in (("1080p", "1920x1080"), ("480p", "854x480")):
        with tempfile.TemporaryDirectory(prefix="lectern-bench-") as folder:
            rows.append((name, *costs(Path(folder), size)))
    for name, alone, whole in rows:
        title = f"Packaging {SECONDS} s of {name} with sound, processor time"
        table(title, [("ffmpeg's encoding alone", alone), ("packaging", whole)], "s", {"packaging": "<= 1.1 x"})


def costs(folder: Path, size: str) -> tuple[float, float]:
    """Seconds of the encoding command alone, and of the whole packaging."""
    source, package, alone = folder / "source.mp4", folder / "package", folder / "alone"
    make_film(source, size)
    package.mkdir()
    alone.mkdir()
    commands: list[list[str]] = []
    run = ffmpeg.run

    def noted(arguments: Any, **options: Any) -> str:
        commands.append([str(argument) for argument in arguments])
        return run(arguments, **options)

    with patch.object(ffmpeg, "run", noted):
        whole_s = processor_seconds(lambda: make_package(source, package, lambda percent: None))
    [encode] = [command for command in commands if "-filter_complex" in command]
    command = [ffmpeg.program(), "-v", "error", "-nostdin", *encode]
    return processor_seconds(lambda: subprocess.run(command, cwd=alone, check=True)), whole_s


def make_film(file: Path, size: str) -> None:
    """A picture that moves and rustles as a camera's does, and a voice-like sound."""
    picture = f"testsrc2=size={size}:rate=25:duration={SECONDS},noise=alls=8:allf=t"
    sound = f"anoisesrc=duration={SECONDS}:color=pink:amplitude=0.1"
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    subprocess.run([ffmpeg.program(), "-v", "error", "-nostdin", *inputs, *codecs, str(file)], check=True)


def processor_seconds(call: Callable[[], object]) -> float:
    before = used()
    call()
    return used() - before


def used() -> float:
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


if __name__ == "__main__":
    main()
