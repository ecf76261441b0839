"""Copies of courses: the same to read and to watch, and nobody's yet."""

from __future__ import annotations

from archives.duplicating import do_duplicate
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from courses.models import Course, Lesson
from media import leftovers
from media.models import Attachment, Caption, Leftover, Package
from tests.archives.conftest import files_of
from tests.factories import grant, make_lesson


def outline(course):
    return [
        (
            section.title,
            [
                (
                    *(lesson.title, lesson.kind, lesson.body, lesson.is_preview, lesson.opens_after_days),
                    [(c.language, c.label, c.path) for c in lesson.captions.all()],
                    [(a.name, a.content_type, a.size_bytes, a.path) for a in lesson.attachments.all()],
                    [(p.path, p.duration_s) for p in lesson.packages.filter(is_current=True)],
                )
                for lesson in section.lessons.all()
            ],
        )
        for section in course.sections.all()
    ]


def test_a_copy_has_what_its_author_made_and_shares_the_files(api, ines, alice, baking, media_root):
    grant(alice, baking)
    before = files_of(media_root)
    answer = api.as_(ines).post("/api/v1/courses/baking/duplicate/", {})
    assert answer.status_code == 201, answer.content
    page = answer.json()
    assert (page["slug"], page["title"], page["status"], page["price"]) == ("baking-copy", "Baking (copy)", "draft", 7)
    assert page["poster_url"].endswith(Course.objects.get(slug="baking").poster)
    copy = Course.objects.get(slug="baking-copy")
    assert outline(copy) == outline(baking)
    assert files_of(media_root) == before
    assert list(copy.instructors.all()) == [ines]
    assert list(copy.tags.all()) == list(baking.tags.all()) != []
    assert not copy.enrolments.exists()
    assert copy.published_at is None
    again = api.as_(ines).post("/api/v1/courses/baking/duplicate/", {"title": "Buns", "slug": "buns"}).json()
    assert (again["slug"], again["title"]) == ("buns", "Buns")
    taken = api.as_(ines).post("/api/v1/courses/baking/duplicate/", {"slug": "buns"})
    assert (taken.status_code, "slug" in taken.json()["errors"]) == (422, True)


def test_the_copy_goes_its_own_way(ines, baking):
    copy = do_duplicate(baking, ines)
    Lesson.objects.filter(section__course=baking).delete()
    assert (Caption.objects.count(), Attachment.objects.count(), Package.objects.count()) == (1, 2, 1)
    assert Package.objects.get().lesson.section.course == copy
    assert Package.objects.get().asset.lesson.section.course == copy


def test_files_that_a_copy_names_outlive_the_original(ines, baking, media_root):
    copy = do_duplicate(baking, ines)
    Lesson.objects.filter(section__course=baking).delete()
    Course.objects.filter(pk=baking.pk).delete()
    before = files_of(media_root)
    for _ in range(2):  # noticed, and a week later removed
        leftovers.collect()
        Leftover.objects.update(noticed_at=timezone.now() - leftovers.KEPT * 2)
    leftovers._remove(Package.objects.get().path.rpartition("/")[0])  # also if it was noticed before it was copied
    assert files_of(media_root) == before
    Course.objects.filter(pk=copy.pk).delete()
    leftovers.collect()
    Leftover.objects.update(noticed_at=timezone.now() - leftovers.KEPT * 2)
    leftovers.collect()
    assert files_of(media_root) == []


def test_a_video_on_its_way_is_left_out(ines, baking):
    lesson = make_lesson(baking.sections.last(), 9, kind="video", title="Later")
    lesson.video_assets.create(source="imports/x", status="processing")
    copied = Lesson.objects.get(section__course=do_duplicate(baking, ines), title="Later")
    assert not copied.video_assets.exists()


def test_a_long_course_costs_no_more_queries(ines, baking):
    def queries():
        with CaptureQueriesContext(connection) as queries:
            do_duplicate(baking, ines, slug=f"copy-{Course.objects.count()}")
        return len(queries)

    few = queries()
    for place in range(3, 60):
        make_lesson(baking.sections.last(), place)
    assert queries() == few


def test_no_course_is_called_import(api, ines):
    author = api.as_(ines)
    assert "slug" in author.post("/api/v1/courses/", {"title": "A", "price": 0, "slug": "import"}).json()["errors"]
    assert author.post("/api/v1/courses/", {"title": "Import", "price": 0}).json()["slug"] == "import-2"


def test_a_foreign_course_is_not_there_to_copy(api, make_person, baking):
    ivan = api.as_(make_person("ivan", "instructor"))
    assert ivan.post("/api/v1/courses/baking/duplicate/", {}).status_code == 404
    assert ivan.get("/api/v1/courses/baking/export/").status_code == 404


def test_two_copies_at_once_are_two(committed_db, media_root, at_once, ines, baking):
    copies = at_once(2, lambda n: do_duplicate(baking, ines).slug)
    assert sorted(copies) == ["baking-copy", "baking-copy-2"], copies
