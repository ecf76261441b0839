"""Subtitles: SubRip (SRT) or WebVTT in, clean WebVTT out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from media.images import timestamp

LARGEST = 2 * 2**20  # bytes

_TIMING = re.compile(r"^\s*(?P<start>[\d:.,]+)\s+-->\s+(?P<end>[\d:.,]+)(?P<settings>(?:\s+\w+:\S+)*)\s*$")
_CLOCK = re.compile(r"^(?:(\d{1,3}):)?([0-5]?\d):([0-5]?\d)[.,](\d{1,3})$")
_TAG = re.compile(r"</?(?:[biu]|c|v|lang|ruby|rt)(?:[.\s][^<>]*)?>")  # those that WebVTT knows
_ANY_TAG = re.compile(r"</?[A-Za-z][^<>]*>|\{\\[^{}]*\}")
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|nbsp|lrm|rlm|#\d+|#x[0-9a-fA-F]+);)")


class CaptionRefused(Exception):
    """The file is no usable caption file; the message tells its author why, with the line."""


@dataclass(frozen=True)
class Cue:
    start_s: float
    end_s: float
    settings: str
    text: str


def to_webvtt(data: bytes) -> str:
    """The WebVTT text of an SRT or WebVTT file. Notes and style sheets are left out, unknown tags too.

    Raises CaptionRefused.
    """
    if len(data) > LARGEST:
        raise CaptionRefused(f"The file is larger than {LARGEST // 2**20} MB, which is not a caption file's size.")
    cues = sorted(_cues(_text(data).splitlines()), key=lambda cue: (cue.start_s, cue.end_s))
    if not cues:
        raise CaptionRefused("There is no caption in the file. It should be SRT or WebVTT.")
    return write(cues)


def write(cues: list[Cue]) -> str:
    blocks = (f"{timestamp(c.start_s)} --> {timestamp(c.end_s)}{c.settings}\n{c.text}\n" for c in cues)
    return "WEBVTT\n\n" + "\n".join(blocks)


def _text(data: bytes) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise CaptionRefused("The file is not UTF-8 text. Save it as UTF-8, then try again.") from None
    if "\0" in text:
        raise CaptionRefused("The file is not a text file.")
    return text


def _cues(lines: list[str]) -> list[Cue]:
    cues = []
    for number, line in enumerate(lines, 1):
        if "-->" in line:
            start_s, end_s, settings = _timing(line, number)
            if text := _payload(lines, number):
                cues.append(Cue(start_s, end_s, settings, text))
    return cues


def _timing(line: str, number: int) -> tuple[float, float, str]:
    found = _TIMING.match(line)
    start_s, end_s = (_seconds(found["start"]), _seconds(found["end"])) if found else (None, None)
    if found is None or start_s is None or end_s is None:
        raise CaptionRefused(f"Line {number}: a time should look like 00:00:01.000 --> 00:00:04.000.")
    if end_s <= start_s:
        raise CaptionRefused(f"Line {number}: the caption ends before it begins.")
    return start_s, end_s, found["settings"].rstrip()


def _seconds(clock: str) -> float | None:
    found = _CLOCK.match(clock)
    if not found:
        return None
    hours, minutes, seconds, fraction = found.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction.ljust(3, "0")) / 1000


def _payload(lines: list[str], first: int) -> str:
    """The lines from there to the next empty one, with only markup that WebVTT has."""
    payload: list[str] = []
    for place in range(first, len(lines)):  # not a slice, which would copy the rest of the file for each caption
        line = lines[place]
        if not line.strip() or "-->" in line:
            break
        payload.append(_clean(line.strip()))
    return "\n".join(line for line in payload if line)


def _clean(line: str) -> str:
    known = _ANY_TAG.sub(lambda tag: tag[0] if _TAG.fullmatch(tag[0]) else "", line)
    text, tags = _TAG.split(known), _TAG.findall(known)
    escaped = [_ENTITY.sub("&amp;", part).replace("<", "&lt;").replace(">", "&gt;") for part in text]
    return "".join(part + tag for part, tag in zip(escaped, [*tags, ""], strict=True))
