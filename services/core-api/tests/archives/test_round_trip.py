"""A course that is exported and imported is the same course: by the API, and by the commands."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from archives import busy, container, contents, exporting, importing, journal
from archives.checking import check_archive
from archives.errors import Problems
from archives.exporting import Entry, Export, make_export, stream
from archives.importing import do_import
from django.core.management import CommandError, call_command

from config.problems import Unavailable
from courses.models import Course
from media import course_files, storage
from media.actions import do_set_caption
from media.models import Package
from media.stores import store
from tests.archives.conftest import PACKAGE, SRT, files_of
from tests.factories import make_course, make_lesson


def told(course, root):
    """Everything that an archive carries of a course, with the files' contents."""

    def read(path):
        return (root / path).read_bytes()

    return [
        *(course.title, course.summary, course.description, course.price, course.category, list(course.tags.all())),
        read(course.poster),
        *(
            (
                *(section.title, lesson.title, lesson.kind, lesson.body, lesson.is_preview, lesson.opens_after_days),
                [(c.language, c.label, read(c.path)) for c in lesson.captions.all()],
                [(a.name, a.content_type, a.size_bytes, a.sha256, read(a.path)) for a in lesson.attachments.all()],
                [(p.duration_s, p.width, p.height, files(p, root)) for p in lesson.packages.filter(is_current=True)],
            )
            for section in course.sections.all()
            for lesson in section.lessons.all()
        ),
    ]


def files(package, root):
    return {file.name: file.read_bytes() for file in (root / package.path).iterdir() if file.name != "package.json"}


def test_what_is_exported_comes_back_the_same(api, ines, make_person, baking, media_root):
    answer = api.as_(ines).get("/api/v1/courses/baking/export/")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    assert answer["Content-Disposition"] == 'attachment; filename="baking.zip"'
    archive = b"".join(answer.streaming_content)
    assert zipfile.ZipFile(io.BytesIO(archive)).testzip() is None
    ivan = make_person("ivan", "instructor")
    dry = put_archive(api.as_(ivan), archive, "?dry_run=1")
    assert (dry.status_code, dry.json()) == (
        200,
        {"title": "Baking", "sections": 2, "lessons": 4, "files": 17, "problems": {}},
    )
    assert Course.objects.count() == 1
    made = put_archive(api.as_(ivan), archive)
    assert made.status_code == 201, made.content
    assert (made.json()["slug"], made.json()["status"]) == ("baking-2", "draft")
    copy = Course.objects.get(slug="baking-2")
    mine, theirs = told(baking, media_root), told(copy, media_root)
    assert mine[6][:3] == theirs[6][:3]  # the poster is drawn anew, and so not the same bytes
    assert mine[:6] + mine[7:] == theirs[:6] + theirs[7:]
    assert list(copy.instructors.all()) == [ivan]
    package = Package.objects.get(lesson__section__course=copy)
    assert store().finished(package.path.rpartition("/")[0])[1].duration_s == 8.0
    assert files(package, media_root) == PACKAGE  # written anew, and yet the same
    assert not list((media_root / ".imports").glob("*"))


def put_archive(client, data, query=""):
    return client.generic("POST", f"/api/v1/courses/import/{query}", data, content_type="application/zip")


def test_the_commands_do_the_same(ines, baking, media_root, tmp_path, capsys):
    file = tmp_path / "baking.zip"
    call_command("export_course", "baking", file)
    assert '"Baking" is in' in capsys.readouterr().out
    for there in (file, tmp_path, "/"):
        with pytest.raises(CommandError, match="exists already"):
            call_command("export_course", "baking", there)
    call_command("import_course", file, "--instructor", "ines", "--dry-run")
    assert "It can be imported: title: Baking, sections: 2" in capsys.readouterr().out
    call_command("import_course", file, "--instructor", "ines")
    assert "draft at baking-2, taught by ines" in capsys.readouterr().out
    for arguments in (["nowhere", file], ["baking", tmp_path / "no" / "folder.zip"]):
        with pytest.raises(CommandError):
            call_command("export_course", *arguments)
    with pytest.raises(CommandError, match="nobody"):
        call_command("import_course", file, "--instructor", "nobody")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CommandError, match="Nothing was imported"):
        call_command("import_course", file, "--instructor", "ines")
    assert "archive: The file is not a ZIP archive" in capsys.readouterr().err
    assert [each.name for each in tmp_path.glob(".*")] == []


def test_a_course_whose_files_are_gone_is_not_exported(api, ines, baking, media_root):
    lesson = baking.sections.last().lessons.get(kind="file")
    (media_root / lesson.attachments.first().path).unlink()
    answer = api.as_(ines).get("/api/v1/courses/baking/export/")
    assert (answer.status_code, answer.json()["code"]) == (409, "files_missing")
    assert "Recipes" in str(answer.json()["errors"])


def test_one_archive_at_a_time_keeps_the_server_free(api, ines, baking):
    first = api.as_(ines).get("/api/v1/courses/baking/export/")
    second = api.as_(ines).get("/api/v1/courses/baking/export/")
    assert (second.status_code, second["Retry-After"]) == (429, "30")
    for (
        close
    ) in first._resource_closers:  # as when the client hangs up; close() itself would end the test's connection, too
        close()
    third = api.as_(ines).get("/api/v1/courses/baking/export/")
    assert b"".join(third.streaming_content)
    with busy.turn():
        pass


def test_the_address_of_an_archive_is_kept_where_it_is_free(ines, baking, media_root):
    answer = io.BytesIO(exported(baking))
    Course.objects.filter(pk=baking.pk).update(slug="moved")
    archive, problems = check_archive(answer)
    assert not problems
    assert do_import(archive, ines).slug == "baking"


def test_what_only_we_make_comes_back_too(ines, baking, media_root):
    """A strip of 1920x8, whose smallest copy is 2 pixels high; and captions of which a script wrote one in small letters."""
    video = baking.sections.first().lessons.get(kind="video")
    video.packages.update(width=480, height=2)
    place = media_root / video.packages.get().path
    for file in list(place.iterdir()):
        file.write_bytes(file.read_bytes().replace(b"640x360", b"480x2").replace(b"video-360", b"video-2"))
        file.rename(place / file.name.replace("video-360", "video-2"))
    facts = json.loads((place / "package.json").read_text())
    for name, about in facts["files"].items():
        about["sha256"] = hashlib.sha256((place / name).read_bytes()).hexdigest()
        about["size"] = (place / name).stat().st_size
    (place / "package.json").write_text(json.dumps(facts))
    do_set_caption(video, "en-us", SRT)
    do_set_caption(video, "en-US", SRT)
    archive, problems = check_archive(io.BytesIO(exported(baking)))
    assert problems.found == {}
    copy = do_import(archive, ines)
    assert told(baking, media_root)[7:] == told(copy, media_root)[7:]


def test_a_video_that_became_an_article_leaves_its_video_behind(ines, baking, media_root):
    """The admin site changes a lesson's kind."""
    baking.sections.first().lessons.filter(kind="video").update(kind="article", body="# Kneading")
    archive, problems = check_archive(io.BytesIO(exported(baking)))
    assert problems.found == {}
    assert not archive.packages


@pytest.mark.parametrize("limit", ["MOST_SECTIONS", "MOST_LESSONS", "MOST_ENTRIES", "MOST_BYTES", "LARGEST_DOCUMENT"])
def test_what_no_import_would_take_is_not_exported(api, ines, baking, monkeypatch, limit):
    monkeypatch.setattr(exporting, limit, 1)
    answer = api.as_(ines).get("/api/v1/courses/baking/export/")
    assert (answer.status_code, answer.json()["code"]) == (409, "course_too_large")
    assert "at most 1 are accepted" in str(answer.json()["errors"])


def test_a_long_course_comes_back():
    """26 hours in four sizes and sound, of which the directory and course.json are the largest that there are."""
    entries = container.MOST_ENTRIES - 1
    names = [f"lessons/{n // 3000:04}/video/video-1080-{n % 3000:05}.m4s" for n in range(entries)]
    export = Export({"sections": [], "files": {name: {"file": name, "sha256": "a" * 64} for name in names}})
    export.entries = [Entry(name, 0, lambda: iter([])) for name in names]
    assert len(export.text) < contents.LARGEST_DOCUMENT
    problems = Problems()
    assert len(container.open_container(io.BytesIO(b"".join(stream(export))), problems).entries) == entries + 1
    assert not problems


def exported(course):
    return b"".join(stream(make_export(course)))


@pytest.mark.postgres
def test_two_imports_at_once_are_two_courses(race_db, media_root, at_once, ines, baking):
    data = exported(baking)
    slugs = at_once(2, lambda n: do_import(check_archive(io.BytesIO(data))[0], ines).slug)
    assert sorted(slugs) == ["baking-2", "baking-3"], slugs
    assert len(set(Package.objects.values_list("path", flat=True))) == 3


class Killed(BaseException):
    """As by `kill -9`: nothing that runs afterwards is of this process."""


@pytest.mark.parametrize("at", ["keep_attachment", "keep_caption", "put_in_place", "save"])
def test_an_import_that_fails_half_way_leaves_nothing(ines, baking, media_root, monkeypatch, at):
    data, before = io.BytesIO(exported(baking)), files_of(media_root)
    archive, _ = check_archive(data)
    break_at(monkeypatch, at, OSError(28, "No space left on device"))
    with pytest.raises(Unavailable, match="no room"):
        do_import(archive, ines)
    assert files_of(media_root) == before
    assert Course.objects.count() == 1


def test_what_a_killed_import_left_goes_with_the_next(ines, baking, media_root, monkeypatch):
    data, before = exported(baking), files_of(media_root)
    with monkeypatch.context() as patch:
        patch.setattr(journal, "_settle", lambda entry: None)  # nobody is left to do it
        break_at(patch, "save", Killed())
        with pytest.raises(Killed):
            do_import(check_archive(io.BytesIO(data))[0], ines)
    assert len(files_of(media_root)) > len(before)
    journal.clear_abandoned()
    assert files_of(media_root) == before
    assert Course.objects.count() == 1


def test_an_import_whose_commit_was_not_heard_of_keeps_its_files(ines, baking, media_root, monkeypatch):
    data = exported(baking)
    save = importing.Rows.save

    def saved_and_gone(rows):
        save(rows)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(importing.Rows, "save", saved_and_gone)
        patch.setattr(
            importing, "transaction", SimpleNamespace(atomic=nullcontext)
        )  # it is committed, and nobody was told
        with pytest.raises(Killed):
            do_import(check_archive(io.BytesIO(data))[0], ines)
    copy = Course.objects.get(slug="baking-2")
    assert told(baking, media_root)[7:] == told(copy, media_root)[7:]
    assert not list((media_root / ".imports").glob("*.json"))


def break_at(monkeypatch, at, error):
    def broken(*_args):
        raise error

    places = {"keep_attachment": course_files, "keep_caption": storage, "put_in_place": storage, "save": importing.Rows}
    monkeypatch.setattr(places[at], at, broken)


def test_a_small_course_needs_nothing_but_its_outline(ines, media_root):
    course = make_course("plain", lessons=0, instructor=ines)
    make_lesson(course.sections.get(), title="Ümlaut \u2028 \U0001f35e")
    archive, problems = check_archive(io.BytesIO(exported(course)))
    assert problems.found == {}
    copy = do_import(archive, ines)
    assert copy.sections.get().lessons.get().title == "Ümlaut \u2028 \U0001f35e"
    assert files_of(media_root) == []
