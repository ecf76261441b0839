"""Posters of courses: whatever was sent is decoded and drawn anew as a JPEG, so that only pixels get to the catalogue."""

from __future__ import annotations

import io
from typing import IO

from PIL import Image, ImageOps

LARGEST = 10 * 2**20  # bytes
MOST_PIXELS = 25_000_000  # decoded they take three bytes each
SIDE = 1280  # pixels, of the longer side
QUALITY = 82
FORMATS = ("JPEG", "PNG", "WEBP")  # told by their first bytes, not by what they are called


class PosterRefused(Exception):
    """The file is no usable picture; the message tells its author why."""


def to_poster(file: IO[bytes]) -> bytes:
    """A JPEG of at most SIDE pixels a side, upright, without metadata, on white where it was see-through.

    Raises PosterRefused.
    """
    picture = _open(file)
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise PosterRefused(
            f"The picture has {width} by {height} pixels. At most {MOST_PIXELS // 1_000_000} million are accepted."
        )
    try:
        return _drawn(picture)
    except (
        Exception
    ):  # Pillow raises OSError, SyntaxError, ValueError, struct.error and more for files that are damaged
        raise PosterRefused("The picture is damaged and cannot be read. Save it again, then send it.") from None


def _open(file: IO[bytes]) -> Image.Image:
    try:
        return Image.open(file, formats=FORMATS)  # reads its head, no pixels
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PosterRefused(f"The picture has more than {MOST_PIXELS // 1_000_000} million pixels.") from None
    except Exception:  # as above
        raise PosterRefused("The file is not a JPEG, PNG or WebP picture, or a damaged one.") from None


def _drawn(picture: Image.Image) -> bytes:
    picture.thumbnail((SIDE, SIDE))
    upright = ImageOps.exif_transpose(picture).convert("RGBA")
    canvas = Image.new("RGB", upright.size, "white")
    canvas.paste(upright, mask=upright.getchannel("A"))
    out = io.BytesIO()
    canvas.save(out, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return out.getvalue()
