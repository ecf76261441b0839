"""Whether all of what ffmpeg wrote is there. Its HLS muxer ends well where the disk was full, and leaves a short segment."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from media import ffmpeg

HEADER = struct.Struct(">I4s")  # of a box: its size with this header, its type (ISO/IEC 14496-12, 4.2)


def check_whole(files: Iterable[Path]) -> None:
    """Raises OSError: a file ends before it should, since it was as large as one may be (EFBIG) or the disk was full (ENOSPC)."""
    for path in files:
        if not (_has_its_end(path) if path.suffix == ".m3u8" else _has_its_boxes(path)):
            number = errno.EFBIG if path.stat().st_size >= ffmpeg.LARGEST_FILE else errno.ENOSPC
            raise OSError(number, f"ffmpeg could not write all of it: {os.strerror(number)}", path.name)


def _has_its_end(playlist: Path) -> bool:
    return playlist.read_bytes().rstrip().endswith(b"#EXT-X-ENDLIST")


def _has_its_boxes(path: Path) -> bool:
    """A file is one box after another, and each says how long it is."""
    left = path.stat().st_size
    if not left:
        return False
    with path.open("rb") as file:
        while left >= HEADER.size:
            size, _kind = HEADER.unpack(file.read(HEADER.size))
            read = HEADER.size
            if size == 1:  # in 64 bits, behind the type
                size, read = int.from_bytes(file.read(8), "big"), HEADER.size + 8
            if not read <= size <= left:
                return False
            file.seek(size - read, 1)
            left -= size
    return left == 0
