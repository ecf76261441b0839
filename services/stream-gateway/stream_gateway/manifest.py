"""Playlists that the gateway writes itself: a package's master with its captions, and one caption's playlist.

Captions lie beside the package and may come later, so they cannot stand in it (RFC 8216, 4.3.4.1 and 4.3.4.2).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from stream_gateway.database import Database

GROUP = "captions"
NOT_QUOTABLE = re.compile(r'["\x00-\x1f\x7f]')  # in a quoted string of a playlist


@dataclass(frozen=True, slots=True)
class Caption:
    """One language's captions of a lesson; `path` lies below LECTERN_MEDIA_ROOT."""

    language: str
    label: str
    path: str


async def captions_of(database: Database, lesson: UUID) -> list[Caption]:
    rows = await database.all(
        "SELECT language, label, path FROM published.caption WHERE lesson_id = %(lesson)s ORDER BY language",
        {"lesson": lesson},
    )
    return [Caption(row["language"], row["label"], row["path"]) for row in rows]


def with_captions(master: str, captions: list[Caption]) -> str:
    """`master` with a subtitles group of `captions` that every rendition refers to; without captions unchanged."""
    if not captions:
        return master
    lines: list[str] = []
    names = Counter(map(_name, captions))
    media = [_media(caption, more=names[_name(caption)] > 1) for caption in captions]
    for line in master.splitlines():
        if line.startswith("#EXT-X-STREAM-INF:"):
            lines += media
            media = []
            line += f',SUBTITLES="{GROUP}"'
        lines.append(line)
    return "\n".join(lines) + "\n"


def captions_playlist(language: str, duration_s: float) -> str:
    """One WebVTT file as a playlist of one segment."""
    return (
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        f"#EXT-X-TARGETDURATION:{math.ceil(duration_s)}\n#EXT-X-MEDIA-SEQUENCE:0\n"
        f"#EXTINF:{duration_s:.3f},\ncaptions-{language}.vtt\n#EXT-X-ENDLIST\n"
    )


def _name(caption: Caption) -> str:
    return NOT_QUOTABLE.sub("", caption.label) or caption.language


def _media(caption: Caption, *, more: bool) -> str:
    """`more`: another one has that label, and no two of a group may have one name (RFC 8216, 4.3.4.1.1)."""
    name = f"{_name(caption)} ({caption.language})" if more else _name(caption)
    return (
        f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="{GROUP}",NAME="{name}",LANGUAGE="{caption.language}",'
        f'DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI="captions-{caption.language}.m3u8"'
    )
