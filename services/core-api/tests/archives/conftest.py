"""A course with everything in it, with a package whose files are small and yet of the right kinds."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile

import pytest
from PIL import Image

from courses.models import Tag
from media.actions import do_set_caption
from media.file_actions import do_add_attachment, do_set_poster
from media.packaging import Facts
from media.stores import store
from tests.factories import make_course, make_lesson, make_package

SRT = b"1\n00:00:01,000 --> 00:00:02,000\nFlour\n"


def picture(kind="JPEG"):
    out = io.BytesIO()
    Image.new("RGB", (64, 36), "red").save(out, kind)
    return out.getvalue()


def box(kind, data=b""):
    return struct.pack(">I", 8 + len(data)) + kind + data


INIT = box(b"ftyp", b"iso5") + box(b"moov", b"....avcC\x01\x64\x00\x1e....")
SEGMENT = box(b"styp", b"msdh") + box(b"moof") + box(b"mdat", b"x" * 100)


def playlist(track):
    return (
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        f'#EXT-X-MAP:URI="{track}-init.mp4"\n#EXTINF:6.000000,\n{track}-00000.m4s\n#EXTINF:2.000000,\n{track}-00001.m4s\n'
        "#EXT-X-ENDLIST\n"
    ).encode()


MASTER = (
    "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
    '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio.m3u8"\n'
    '#EXT-X-STREAM-INF:BANDWIDTH=1024,AVERAGE-BANDWIDTH=512,CODECS="avc1.64001E,mp4a.40.2",RESOLUTION=640x360,'
    'FRAME-RATE=29.970,AUDIO="audio",CLOSED-CAPTIONS=NONE\nvideo-360.m3u8\n'
)
PACKAGE = {
    "master.m3u8": MASTER.encode(),
    "progressive.mp4": box(b"ftyp") + box(b"moov") + box(b"mdat"),
    "poster.jpg": picture(),
    "sprites-001.jpg": picture(),
    "sprites.vtt": b"WEBVTT\n\n00:00:00.000 --> 00:00:08.000\nsprites-001.jpg#xywh=0,0,160,90\n",
    **{f"{track}.m3u8": playlist(track) for track in ("video-360", "audio")},
    **{f"{track}-init.mp4": INIT for track in ("video-360", "audio")},
    **{f"{track}-0000{n}.m4s": SEGMENT for track in ("video-360", "audio") for n in (0, 1)},
}


def put_package(lesson, tmp_path):
    """The row of a package and its files, in their place."""
    package = make_package(lesson)
    folder = tmp_path / str(package.pk)
    folder.mkdir()
    for name, data in PACKAGE.items():
        (folder / name).write_bytes(data)
    files = {n: {"size": len(d), "sha256": hashlib.sha256(d).hexdigest()} for n, d in PACKAGE.items()}
    facts = Facts(8.0, 640, 360, sum(len(d) for d in PACKAGE.values()), "0123456789abcdef")
    (folder / "package.json").write_text(json.dumps({"version": 1, **vars(facts), "files": files}))
    store().put(folder, package.path)
    return package


@pytest.fixture
def media_root(tmp_path, settings):
    settings.MEDIA_ROOT, settings.UPLOADS_ROOT = tmp_path / "media", tmp_path / "uploads"
    return settings.MEDIA_ROOT


@pytest.fixture
def baking(database, media_root, ines, tmp_path):
    """Two sections; a poster, an article, a video with captions, two files."""
    course = make_course(sections=2, lessons=1, instructor=ines, price=7, level="advanced")
    course.tags.set([Tag.objects.get_or_create(slug=slug, defaults={"name": slug})[0] for slug in ("bread", "yeast")])
    do_set_poster(course, io.BytesIO(picture()), 100)
    video = make_lesson(course.sections.first(), 2, kind="video", title="Kneading", opens_after_days=3)
    put_package(video, tmp_path)
    do_set_caption(video, "de", SRT, "Deutsch, wörtlich")
    files = make_lesson(course.sections.last(), 2, kind="file", title="Recipes", is_preview=True)
    do_add_attachment(files, "100 % Übung #1 + Teig?.pdf", [b"%PDF", b"-1.7"], 8)
    do_add_attachment(files, "b.txt", [b"flour"], 5)
    return course


def archive_of(document, files=None, **raw):
    """A ZIP file: `document` as course.json (bytes: as they are), `files` by name, `raw`: more of ZipFile's."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        if document is not None:
            archive.writestr("course.json", document if isinstance(document, bytes) else json.dumps(document))
        for name, data in (files or {}).items():
            archive.writestr(name, data)
    out.seek(0)
    return out


def named(name, data):
    return {"file": name, "sha256": hashlib.sha256(data).hexdigest()}


def minimal(**more):
    course = {"title": "Bread", "price": 0}
    return {"format": "lectern-course", "version": 1, "course": course, "sections": []} | more


def files_of(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
