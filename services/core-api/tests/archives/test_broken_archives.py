"""What is wrong with an archive is told, all of it, each with its place; and nothing is made of it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import struct
import tracemalloc
import zipfile

import pytest
from archives import checking, container, contents
from archives.checking import check_archive

from courses.models import Course
from tests.archives.conftest import INIT, PACKAGE, SRT, archive_of, box, files_of, minimal, named, picture

LESSON = {"title": "One", "kind": "article"}


def problems_of(file):
    return check_archive(file)[1].found


def with_lesson(files=None, **more):
    return archive_of(minimal(sections=[{"title": "Part", "lessons": [LESSON | more]}]), files)


def video(**changed):
    """An archive of one lesson with a package, some of whose files are others (None: missing)."""
    files = {name: data for name, data in (PACKAGE | changed).items() if data is not None}
    package = {name: named(f"v/{name}", data) for name, data in files.items()}
    return with_lesson({f"v/{n}": d for n, d in files.items()}, kind="video", video={"package": package})


def test_a_dry_run_lists_everything_with_its_place(api, ines, database, media_root):
    good = {"title": "One", "kind": "video"}
    document = minimal(
        course={"title": "", "price": -1, "category": "unheard-of", "languag": "en", "slug": "a b"},
        poster=named("poster.jpg", b"<svg/>"),
        extra=1,
        sections=[
            {"title": "Part", "lessons": []},
            {"title": "x" * 300, "lessons": [{"title": "A", "kind": "podcast"}, "lesson"]},
            {
                "lessons": [
                    good | {"captions": {"de": named("de.srt", b"Dear diary"), "D!": named("de.srt", b"")}},
                    good | {"attachments": [{"name": "a", **named("gone.pdf", b"")}, {"file": 1}]},
                    LESSON | {"captions": {"de": named("de.srt", b"Dear diary")}, "video": {"package": {}}},
                    good | {"attachments": [{"name": "b", "file": "de.srt", "sha256": "0" * 64}]},
                ]
            },
        ],
    )
    archive = archive_of(document, {"poster.jpg": b"<svg/>", "de.srt": b"Dear diary"}).getvalue()
    path = "/api/v1/courses/import/"
    author = api.as_(ines)
    dry = author.generic("POST", f"{path}?dry_run=1", archive, content_type="application/zip")
    assert dry.status_code == 200, dry.content
    problems = dry.json()["problems"]
    expected = {
        "extra": "not a field of the format",
        "course.title": "blank",
        "course.price": "greater than or equal to 0",
        "course.category": "unheard-of",
        "course.languag": "not a field",
        "course.slug": "letters",
        "poster": "JPEG",
        "sections[1].title": "200",
        "sections[1].lessons[0].kind": "podcast",
        "sections[1].lessons[1]": "object",
        "sections[2].title": "required",
        "sections[2].lessons[0].captions.de": "no caption in the file",
        "sections[2].lessons[0].captions.D!": "IETF",
        "sections[2].lessons[1].attachments[0]": "no such file",
        "sections[2].lessons[1].attachments[1].file": "Name a file",
        "sections[2].lessons[1].attachments[1].sha256": "SHA-256",
        "sections[2].lessons[2].captions": "kind video",
        "sections[2].lessons[3].attachments[0]": "SHA-256",
    }
    for where, part in expected.items():
        assert part in " ".join(problems.get(where, ["(nothing)"])), where
    refused = author.generic("POST", path, archive, content_type="application/zip")
    assert (refused.status_code, refused.json()["code"]) == (422, "archive_invalid")
    assert refused.json()["errors"] == problems
    assert not Course.objects.exists()
    assert files_of(media_root) == []


@pytest.mark.parametrize(
    ("document", "where", "sentence"),
    [
        (None, "archive", "no course.json"),
        (b"", "course.json", "not JSON"),
        (b"[" * 100_000, "course.json", "not JSON"),
        (b'{"format": "lectern-course", "version": NaN}', "course.json", "no number"),
        ('{"format": "lectern-course"}'.encode("utf-16"), "course.json", "UTF-8"),
        ("Grüße".encode("latin-1"), "course.json", "UTF-8"),
        (b"[]", "course.json", "format"),
        (b"null", "course.json", "format"),
        (b'{"format": "zip"}', "course.json", "format"),
        (minimal(version=2), "course.json: version", "version 1"),
        (minimal(version=True), "course.json: version", "version 1"),
        (minimal(version=None), "course.json: version", "version 1"),
        (minimal(sections=None), "sections", "list"),
        (minimal(sections={}), "sections", "list"),
        (minimal(sections=[None]), "sections[0]", "object"),
        (minimal(sections=[{"title": "P", "lessons": [LESSON] * 2001}]), "sections[0].lessons", "2000"),
        (minimal(course=7), "course", "object"),
        (minimal(course={"title": "\ud800", "price": 0}), "course.title", "Surrogate"),
        (minimal(course={"title": "a\0b", "price": 0}), "course.title", "Null"),
        (minimal(course={"title": "B", "price": 10**30}), "course.price", "less than"),
        (minimal(course={"title": "B", "price": "1"}), "course.price", "integer"),
        (minimal(poster="poster.jpg"), "poster", "object"),
        (minimal(poster={"file": ["x"], "sha256": {}}), "poster.file", "Name a file"),
    ],
)  # fmt: skip
def test_odd_documents(database, document, where, sentence):
    assert sentence in str(problems_of(archive_of(document)).get(where)), problems_of(archive_of(document))


@pytest.mark.parametrize("query", ["", "?dry_run=1"])
def test_half_a_character_is_told_of_as_well(api, ines, query):
    lesson = {"title": "One", "kind": "\ud800", "captions": {"\ud800": {}}, "video": {"package": {"\ud800": 1}}}
    archive = archive_of(minimal(sections=[{"title": "Part", "lessons": [lesson]}])).getvalue()
    path = f"/api/v1/courses/import/{query}"
    answer = api.as_(ines).generic("POST", path, archive, content_type="application/zip")
    assert answer.status_code == (200 if query else 422), answer.content
    problems = answer.json()["problems" if query else "errors"]
    assert problems["sections[0].lessons[0].kind"] == ['"?" is not a valid choice.']
    assert "sections[0].lessons[0].captions.?" in problems


def test_a_byte_order_mark_is_fine(database):
    assert problems_of(archive_of(b"\xef\xbb\xbf" + json.dumps(minimal()).encode())) == {}


def entry(name, data=b"x", **about):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("course.json", json.dumps(minimal()))
        info = zipfile.ZipInfo("placeholder" if name is None else name)
        info.compress_type = zipfile.ZIP_DEFLATED
        for key, value in about.items():
            setattr(info, key, value)
        archive.writestr(info, data)
    return io.BytesIO(out.getvalue())


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/../../x", "a/./b", "..", "C:\\x", "C:/x", "a//b", "a\\b", "a\x07b", "x" * 301]
)
def test_names_that_lead_elsewhere(database, name):
    assert "relative" in str(problems_of(entry(name)))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK])
def test_links_and_devices(database, kind):
    assert "link or a device" in str(problems_of(entry("x", b"/etc/passwd", external_attr=(kind | 0o777) << 16)))


def test_bombs(database, monkeypatch):
    assert "bomb" in str(problems_of(entry("zeros", bytes(20 * 2**20))))
    monkeypatch.setattr(container, "MOST_BYTES", 2**10)
    assert "Unpacked" in str(problems_of(entry("x", bytes(2**11))))
    monkeypatch.setattr(contents, "LARGEST_DOCUMENT", 10)
    assert "larger than" in str(problems_of(archive_of(minimal())))


def test_a_file_that_is_named_again_and_again_counts_as_often(database, monkeypatch):
    monkeypatch.setattr(checking, "MOST_BYTES", 2**20)
    once = {"name": "a", **named("a", b"")}
    monkeypatch.setattr(checking._Checker, "_right", lambda *_: pytest.fail("it is read before it is refused"))
    file = with_lesson({"a": bytes(2**18)}, attachments=[once] * 5)
    assert "GiB together" in str(problems_of(file)["archive"])


def test_a_list_of_entries_that_would_fill_the_memory_is_not_read(database):
    lying = archive_of(minimal()).getvalue()
    at = lying.rindex(b"PK\x05\x06")
    lying = lying[: at + 12] + struct.pack("<L", 13 * 2**20) + lying[at + 16 :]
    assert "more than 80000 entries" in str(problems_of(io.BytesIO(lying)))


def test_many_entries(database, monkeypatch):
    monkeypatch.setattr(container, "MOST_ENTRIES", 3)
    assert "more than 3 entries" in str(problems_of(archive_of(minimal(), {str(n): b"" for n in range(5)})))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name(database):
    out = archive_of(minimal(), {"ä.txt": b"1"})
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("a\u0308.TXT", b"2")
    assert "Two entries" in str(problems_of(out))


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x05\x06" + bytes(18), b"\x00" * 5000, picture()])
def test_what_is_no_archive(database, data):
    assert "archive" in problems_of(io.BytesIO(data))


def test_any_byte_may_be_wrong_and_nothing_breaks(database):
    good = with_lesson({"a": b"flour" * 50}, attachments=[{"name": "a", **named("a", b"flour" * 50)}]).getvalue()
    assert problems_of(io.BytesIO(good)) == {}
    for at in range(len(good)):
        check_archive(io.BytesIO(good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :]))
        if at % 7 == 0:
            check_archive(io.BytesIO(good[:at]))


def test_a_damaged_file_is_named(database):
    good = with_lesson({"a": b"flour"}, attachments=[{"name": "a", **named("a", b"flour")}])
    data = good.getvalue()
    at = data.index(b"a", data.index(b"PK\x03\x04", 10)) + 1
    damaged = data[:at] + b"\xff" + data[at + 1 :]
    assert "damaged" in str(problems_of(io.BytesIO(damaged))["sections[0].lessons[0].attachments[0]"])


def test_a_package_as_ours_is_taken(database):
    assert problems_of(video()) == {}


PLAYLIST = PACKAGE["video-360.m3u8"]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"evil.html": b"<script>"}, "no file of that name"),
        ({"package.json": b"{}"}, "no file of that name"),
        ({"progressive.mp4": None}, "progressive.mp4 is missing"),
        ({"video-360-init.mp4": None}, "does not name the segments"),
        ({"video-360-00001.m4s": None}, "does not name the segments"),
        ({"video-360.m3u8": PLAYLIST.replace(b"video-360-00001.m4s", b"http://evil/x.m4s")}, "does not name"),
        ({"video-360.m3u8": PLAYLIST.replace(b"6.000000", b"600.000000")}, "no time, or a minute"),
        ({"video-360.m3u8": b"\xff"}, "not such a text"),
        ({"video-360-00000.m4s": b"<script>alert(1)</script>"}, "chain of the MP4 boxes"),
        ({"video-360-00000.m4s": b""}, "is empty"),
        ({"video-360-00000.m4s": box(b"styp") + b"\0\0\0\1mdat" + bytes(8)}, "chain of the MP4 boxes"),
        ({"video-360-00000.m4s": box(b"moov")}, "chain of the MP4 boxes"),
        ({"video-360-init.mp4": INIT.replace(b"avcC", b"hvcC")}, "not the beginning of an H.264"),
        ({"progressive.mp4": box(b"ftyp") + b"#EXTM3U\nfile:///etc/passwd"}, "chain of the MP4 boxes"),
        ({"poster.jpg": b"GIF89a"}, "not a JPEG"),
        ({"sprites.vtt": b"WEBVTT\n\nNOTE <script>\n"}, "no sprites"),
        ({"master.m3u8": b"#EXTM3U\n"}, "does not name the tracks"),
        ({"audio.m3u8": PACKAGE["audio.m3u8"].replace(b"6.000000", b"1.000000")}, "not equally long"),
    ],
)
def test_foreign_packages_are_not_believed(database, changed, sentence):
    assert sentence in str(problems_of(video(**changed))["sections[0].lessons[0].video"])


def test_playlists_are_written_anew(database):
    odd = PLAYLIST.replace(b"#EXTINF:6", b'#EXT-X-KEY:METHOD=AES-128,URI="http://evil/key"\n#EXTINF:6')
    archive, problems = check_archive(video(**{"video-360.m3u8": odd}))
    assert problems.found == {}
    (checked,) = archive.packages.values()
    assert checked.texts["video-360.m3u8"] == PLAYLIST.decode()


def test_a_large_file_does_not_fill_the_memory(database):
    data = os.urandom(12 * 2**20)
    file = with_lesson(
        {"a": data}, attachments=[{"name": "a", "file": "a", "sha256": hashlib.sha256(data).hexdigest()}]
    )
    del data
    tracemalloc.start()
    try:
        assert problems_of(file) == {}
        assert tracemalloc.get_traced_memory()[1] < 6 * 2**20
    finally:
        tracemalloc.stop()


def test_captions_and_attachments_in_their_sizes(database):
    large = os.urandom(2 * 2**20 + 1)  # does not pack, and so is no bomb
    file = with_lesson(
        {"c": large, "e": b""}, kind="video", captions={"de": named("c", large)}, attachments=[named("e", b"")]
    )
    problems = problems_of(file)
    assert "2 MiB" in str(problems["sections[0].lessons[0].captions.de"])
    assert "empty" in str(problems["sections[0].lessons[0].attachments[0]"])
    assert problems_of(with_lesson({"c": SRT}, kind="video", captions={"de": named("c", SRT)})) == {}
