"""Posters, captions and attachments as authors send them."""

from __future__ import annotations

import io
import struct
import zlib
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from config.problems import NotFound, Unavailable
from courses.actions import do_delete_lesson
from media import course_files, file_actions
from media.models import Attachment
from media.posters import PosterRefused, to_poster
from tests.factories import grant, make_course, make_lesson

pytestmark = pytest.mark.usefixtures("database", "media_root")
SRT = b"1\n00:00:01,000 --> 00:00:02,000\nFlour\n"


@pytest.fixture
def lesson(ines):
    return make_lesson(make_course(lessons=0, instructor=ines).sections.get(), kind="file", title="Recipes")


def picture(kind="PNG", size=(64, 36), mode="RGB", **more):
    out = io.BytesIO()
    Image.new(mode, size, 200 if mode in "L" else "red").save(out, kind, **more)
    return out.getvalue()


def files_of(media_root):
    return sorted(path.relative_to(media_root).as_posix() for path in media_root.rglob("*") if path.is_file())


def put(client, path, data, content_type):
    return client.generic("PUT", path, data, content_type=content_type)


def post(client, lesson, name, data=b"flour", **more):
    path = f"/api/v1/lessons/{lesson.pk}/attachments/"
    return client.post(path, {"file": SimpleUploadedFile(name, data)}, format="multipart", **more)


def test_a_poster_is_drawn_anew_and_stands_in_the_catalogue(api, ines, lesson, media_root):
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010F] = "where it was made"
    sent = picture("JPEG", (2000, 1000), exif=exif)
    answer = put(api.as_(ines), "/api/v1/courses/baking/poster/", sent, "image/jpeg")
    assert answer.status_code == 200, answer.content
    url = urlsplit(answer.json()["poster_url"])
    assert f"{url.scheme}://{url.netloc}" == settings.PUBLIC_URL
    (file,) = files_of(media_root)
    assert url.path == f"/{file}"
    with Image.open(media_root / file) as drawn:
        assert (drawn.format, drawn.size, drawn.info.get("exif")) == ("JPEG", (640, 1280), None)
    assert b"where it was made" not in (media_root / file).read_bytes()
    for path in ("/api/v1/courses/baking/", "/api/v1/courses/"):
        page = api.get(path).json()
        assert (page["results"][0] if "results" in page else page)["poster_url"] == url.geturl()
    assert api.as_(ines).delete("/api/v1/courses/baking/poster/").status_code == 204
    assert api.get("/api/v1/courses/baking/").json()["poster_url"] is None


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_usual_pictures_become_posters(kind, mode):
    if (kind, mode) != ("JPEG", "RGBA"):
        drawn = Image.open(io.BytesIO(to_poster(io.BytesIO(picture(kind, mode=mode)))))
        assert (drawn.format, drawn.mode, drawn.size) == ("JPEG", "RGB", (64, 36))


def png_of(width, height):
    """The head of a PNG that says it is so large; its pixels are missing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    pixels = b"IDAT" + zlib.compress(b"")
    parts = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (chunk, pixels))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a JPEG, PNG or WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "not a JPEG, PNG or WebP"),
        (b"GIF89a" + bytes(100), "not a JPEG, PNG or WebP"),
        (png_of(60_000, 60_000), "million"),
        (png_of(6_000, 6_000), "million"),
        (png_of(40, 40), "damaged"),
        (picture("JPEG", (300, 300))[:-300], "damaged"),
        (picture("WEBP", (300, 300))[:60], "damaged"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_picture_is_refused(data, why):
    with pytest.raises(PosterRefused, match=why):
        to_poster(io.BytesIO(data))


def test_refused_posters_say_why(api, ines, lesson, media_root):
    author, path = api.as_(ines), "/api/v1/courses/baking/poster/"
    answer = put(author, path, b"<svg/>", "image/png")
    assert (answer.status_code, answer.json()["errors"]) == (
        422,
        {"file": ["The file is not a JPEG, PNG or WebP picture, or a damaged one."]},
    )
    large = put(author, path, bytes(10 * 2**20 + 1), "image/png")
    assert (large.status_code, large.json()["detail"]) == (413, "A poster may have at most 10 MiB.")
    assert author.put(path).json()["errors"].keys() == {"file"}
    broken = put(author, path, b"no form", "multipart/form-data; boundary=x")
    assert (broken.status_code, broken.json()["code"]) == (422, "invalid")
    nameless = put(author, path, b"no form", "multipart/form-data")
    assert (nameless.status_code, nameless.json()["code"]) == (400, "malformed")
    assert files_of(media_root) == []


def test_captions_come_as_the_body_or_in_a_form_and_go(api, ines, media_root):
    lesson = make_lesson(make_course(lessons=0, instructor=ines).sections.get(), kind="video")
    author, path = api.as_(ines), f"/api/v1/lessons/{lesson.pk}/captions"
    assert put(author, f"{path}/en/", SRT, "application/x-subrip").json() == {"language": "en", "label": "English"}
    form = author.put(f"{path}/de/", {"file": SimpleUploadedFile("de.vtt", SRT)}, format="multipart")
    assert form.status_code == 200
    page = author.get(f"/api/v1/lessons/{lesson.pk}/")
    assert page.status_code in (200, 403)
    assert [c.language for c in lesson.captions.all()] == ["de", "en"]
    assert author.delete(f"{path}/de/").status_code == 204
    assert author.delete(f"{path}/de/").status_code == 404
    assert len(files_of(media_root)) == 2  # somebody may be fetching the other one


@pytest.mark.parametrize(
    ("language", "data", "status", "about"),
    [
        ("en", b"Dear diary", 422, "file"),
        ("EN!", SRT, 422, "language"),
        ("en", bytes(2 * 2**20 + 1), 413, "at most 2 MiB"),
    ],
)
def test_refused_captions_say_why(api, ines, media_root, language, data, status, about):
    lesson = make_lesson(make_course(lessons=0, instructor=ines).sections.get(), kind="video")
    answer = put(api.as_(ines), f"/api/v1/lessons/{lesson.pk}/captions/{language}/", data, "text/vtt")
    assert answer.status_code == status
    assert about in str(answer.json().get("errors") or answer.json()["detail"])


def test_articles_take_no_captions(api, ines, lesson):
    answer = put(api.as_(ines), f"/api/v1/lessons/{lesson.pk}/captions/en/", SRT, "text/vtt")
    assert answer.json()["code"] == "not_a_video_lesson"


def test_an_attachment_makes_a_file_lesson_complete_and_learners_find_it(api, ines, alice, lesson, media_root):
    author = api.as_(ines)
    assert "has no file" in str(author.post("/api/v1/courses/baking/publish/").json()) or lesson.section.course.status
    added = post(author, lesson, "100 % Übung #1 + Teig?.pdf", b"%PDF-1.7")
    assert added.status_code == 201, added.content
    line = added.json()
    assert (line["name"], line["size_bytes"]) == ("100 % Übung #1 + Teig?.pdf", 8)
    assert (line["content_type"], line["url"]) == ("application/pdf", f"/stream/v1/attachments/{line['id']}")
    grant(alice, lesson.section.course)
    assert api.as_(alice).get(f"/api/v1/lessons/{lesson.pk}/").json()["attachments"] == [line]
    path = f"/api/v1/lessons/{lesson.pk}/attachments/"
    assert author.get(path).json() == [line]
    kept = Attachment.objects.get()
    assert files_of(media_root) == [kept.path]
    assert kept.path.startswith(f"attachments/{kept.pk}/{kept.sha256[:32]}")
    assert author.delete(f"{path}{line['id']}/").status_code == 204
    assert author.delete(f"{path}{line['id']}/").status_code == 404
    assert files_of(media_root) == [kept.path]  # somebody may be downloading it


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\recipes\\bread.pdf", "bread.pdf"),
        ("bread\u202efdp.exe", "breadfdp.exe"),
        (".htaccess", "htaccess"),
        ("a\r\nSet-Cookie: x", "aSet-Cookie: x"),
        (" . ", "file"),
        ("x" * 300 + ".pdf", "x" * 146 + ".pdf"),
        ("\ud800.txt", "txt"),
        ("Teig.tar.gz", "Teig.tar.gz"),
    ],
)
def test_a_files_name_is_safe_to_save_it_as(sent, kept):
    assert file_actions.safe_name(sent) == kept


def test_an_attachment_is_neither_empty_nor_endless(api, ines, lesson, monkeypatch, media_root):
    author = api.as_(ines)
    assert post(author, lesson, "empty.pdf", b"").json()["errors"] == {"file": ["The file is empty."]}
    monkeypatch.setattr(file_actions, "LARGEST_ATTACHMENT", 2**20)
    large = post(author, lesson, "large.pdf", bytes(2**20 + 1))
    assert (large.status_code, large.json()["detail"]) == (413, "A file may have at most 1 MiB.")
    monkeypatch.setattr(file_actions, "MOST_ATTACHMENTS", 1)
    assert post(author, lesson, "one.pdf").status_code == 201
    assert "at most 1 files" in str(post(author, lesson, "two.pdf").json()["errors"])
    assert len(files_of(media_root)) == 1


def test_a_large_file_waits_beside_the_uploads_and_nothing_is_left(api, ines, lesson, media_root):
    data = bytes(3 * 2**20)  # more than Django keeps in memory
    assert post(api.as_(ines), lesson, "large.bin", data).status_code == 201
    assert Attachment.objects.get().size_bytes == len(data)
    assert [path.name for path in settings.UPLOADS_ROOT.rglob("*")] == [".incoming"]


def test_a_body_that_says_it_is_larger_than_anything_is_refused_unread(api, ines, lesson):
    answer = post(api.as_(ines), lesson, "x", CONTENT_LENGTH=str(200 * 2**20))
    assert (answer.status_code, answer.json()["detail"]) == (
        413,
        "The body is larger than the 101 MiB that are accepted.",
    )


def test_a_lesson_that_goes_meanwhile_leaves_no_file(lesson, media_root):
    def pieces():
        yield b"flour"
        do_delete_lesson(lesson)

    with pytest.raises(NotFound):
        file_actions.do_add_attachment(lesson, "x.pdf", pieces(), 5)
    assert files_of(media_root) == []


def test_a_full_disk_is_told_and_leaves_nothing(lesson, media_root, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(course_files.os, "fsync", full)
    with pytest.raises(Unavailable, match="no room"):
        file_actions.do_add_attachment(lesson, "x.pdf", [b"flour"], 5)
    assert files_of(media_root) == []
