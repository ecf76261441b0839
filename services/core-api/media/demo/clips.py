"""Videos that ffmpeg makes of nothing: a moving picture, a running time code, tones as long as what the captions say."""

from __future__ import annotations

from pathlib import Path

from media import ffmpeg
from media.captions import Cue, write
from media.demo.content import DemoLesson

SLOT_S = 3.5  # for each caption
SPOKEN_S = 2.9  # of which its tone lasts


def seconds(lesson: DemoLesson) -> float:
    return SLOT_S * len(lesson.spoken)


def make_clip(lesson: DemoLesson, file: Path) -> None:
    """Writes an MP4. Raises FfmpegFailed."""
    length = seconds(lesson)
    size = f"{lesson.size[0]}x{lesson.size[1]}"
    picture = lesson.picture.format(size=size, seconds=length)
    # testsrc2 draws a time code without any font; the rest of its picture is cut off.
    code = f"testsrc2=s=284x160:r=25:d={length},crop=100:30:0:0,scale=200:60:flags=neighbor"
    graph = f"{picture},format=yuv420p[picture];{code},format=yuv420p[code];[picture][code]overlay=W-w-16:16[video]"
    pitch = f"220*pow(2,floor(t/{SLOT_S})/6)"
    tone = f"0.2*sin(2*PI*{pitch}*t)*lt(mod(t,{SLOT_S}),{SPOKEN_S})*min(1,mod(t,{SLOT_S})*20)"
    arguments = [
        *("-filter_complex", graph, "-f", "lavfi", "-i", f"aevalsrc='{tone}':s=48000:d={length}"),
        *("-map", "[video]", "-map", "0:a", "-t", str(length)),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "20", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac", "-b:a", "96k", "-movflags", "+faststart", str(file)),
    ]
    ffmpeg.run(arguments, timeout_s=300)


def captions(lesson: DemoLesson, translation: int) -> bytes:
    """WebVTT in English (0) or German (1)."""
    cues = [
        Cue(number * SLOT_S, number * SLOT_S + SPOKEN_S, "", texts[translation])
        for number, texts in enumerate(lesson.spoken)
    ]
    return write(cues).encode()
