"""Making, changing, publishing and deleting courses."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from config.problems import NotFound
from courses.actions import do_add_lesson, do_delete_course, do_delete_lesson, do_delete_section, do_update_lesson
from courses.errors import CourseSold, LessonHad
from courses.models import Category, Course, Lesson, Section, Tag
from learning.models import Enrolment
from tests import books
from tests.factories import grant, lessons_of, make_course, make_lesson, make_package

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def author(api, ines):
    return api.as_(ines)


def test_ines_makes_a_course_and_sells_it(author, api):
    Category.objects.create(slug="food", name="Food")
    made = author.post("/api/v1/courses/", {"title": "Käse, selbst gemacht", "price": 30})
    assert made.status_code == 201, made.content
    page = made.json()
    assert (page["slug"], page["status"], page["sections"]) == ("kase-selbst-gemacht", "draft", [])
    course = f"/api/v1/courses/{page['slug']}/"

    refused = author.post(f"{course}publish/")
    assert (refused.status_code, refused.json()["code"]) == (409, "course_incomplete")
    assert refused.json()["errors"] == {
        "summary": ["The course has no summary."],
        "description": ["The course has no description."],
        "category": ["The course has no category."],
        "sections": ["The course has no section."],
    }

    described = {"summary": "Milk to cheese", "description": "Long", "category": "food", "level": "advanced"}
    assert author.patch(course, described).json()["level"] == "advanced"
    section = author.post(f"{course}sections/", {"title": "Milk"}).json()
    assert (section["position"], section["lessons"]) == (1, [])
    lessons = f"/api/v1/sections/{section['id']}/lessons/"
    article = author.post(lessons, {"title": "Rennet", "kind": "article"}).json()
    video = author.post(lessons, {"title": "Stirring", "kind": "video", "is_preview": True}).json()
    assert author.post(f"{course}publish/").json()["errors"] == {
        "lessons": ['Lesson "Rennet" has no text.', 'Lesson "Stirring" has no video that is ready.']
    }

    assert author.patch(f"/api/v1/lessons/{article['id']}/", {"body": "It curdles."}).json()["body"] == "It curdles."
    make_package(Lesson.objects.get(pk=video["id"]))
    assert author.post(f"{course}publish/").json()["status"] == "published"
    assert author.post(f"{course}publish/").status_code == 200
    assert api.get(course).json()["lessons_count"] == 2


def test_a_slug_of_ones_own_and_one_that_is_taken(author):
    make_course("baking")
    assert author.post("/api/v1/courses/", {"title": "Baking", "price": 0}).json()["slug"] == "baking-2"
    assert author.post("/api/v1/courses/", {"title": "x", "slug": "cakes", "price": 0}).json()["slug"] == "cakes"
    taken = author.post("/api/v1/courses/", {"title": "x", "slug": "baking", "price": 0})
    assert (taken.status_code, list(taken.json()["errors"])) == (422, ["slug"])
    slugs = [author.post("/api/v1/courses/", {"title": "日本", "price": 0}).json()["slug"] for _ in range(52)]
    assert (slugs[:2], slugs[48], len(set(slugs))) == (["course", "course-2"], "course-49", 52)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"price": -1}, "price"),
        ({"price": 1_000_001}, "price"),
        ({"title": ""}, "title"),
        ({"language": "Klingon!"}, "language"),
        ({"category": "made-up"}, "category"),
        ({"category": "fo\0od"}, "category"),
        ({"level": "guru"}, "level"),
    ],
)
def test_nonsense_is_refused(author, ines, change, field):
    make_course(instructor=ines)
    answer = author.patch("/api/v1/courses/baking/", change)
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [field])


WRITES = [
    ("patch", "/api/v1/courses/baking/", {"title": "Mine"}),
    ("delete", "/api/v1/courses/baking/", None),
    ("post", "/api/v1/courses/baking/publish/", None),
    ("post", "/api/v1/courses/baking/unpublish/", None),
    ("post", "/api/v1/courses/baking/sections/", {"title": "x"}),
    ("patch", "/api/v1/sections/{section}/", {"title": "x"}),
    ("delete", "/api/v1/sections/{section}/", None),
    ("post", "/api/v1/sections/{section}/lessons/", {"title": "x", "kind": "video"}),
    ("patch", "/api/v1/lessons/{lesson}/", {"title": "x"}),
    ("delete", "/api/v1/lessons/{lesson}/", None),
    ("get", "/api/v1/lessons/{lesson}/video/", None),
    ("post", "/api/v1/lessons/{lesson}/video/retry/", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_nobody_changes_a_course_of_others(api, ines, alice, make_person, method, path, body):
    course = make_course(instructor=ines)
    path = path.format(section=course.sections.get().id, lesson=lessons_of(course)[0].id)
    grant(alice, course)
    answers = {
        name: getattr(client, method)(path, body).status_code
        for name, client in {
            "nobody": api,
            "alice": api.as_(alice),
            "another instructor": api.as_(make_person("ivan", "instructor")),
        }.items()
    }
    assert answers == {"nobody": 401, "alice": 403, "another instructor": 404}
    assert Course.objects.get().title == "Baking"
    assert Lesson.objects.count() == 2


def test_course_managers_change_all_courses(api, ines, make_person):
    make_course(instructor=ines)
    manager = api.as_(make_person("mona", "course_manager"))
    assert manager.patch("/api/v1/courses/baking/", {"price": 9}).json()["price"] == 9


def test_instructors_find_their_own_courses_whatever_their_status(author, ines):
    make_course("mine", status="draft", instructor=ines)
    make_course("others")
    answer = author.get("/api/v1/courses/?managed=true").json()
    assert [(course["slug"], course["status"]) for course in answer["results"]] == [("mine", "draft")]


def titles(parts):
    return [(part.position, part.title) for part in parts.order_by("position")]


def test_lessons_and_sections_are_moved(author, ines):
    course = make_course(sections=3, lessons=3, instructor=ines)
    second = course.sections.get(position=2)
    author.patch(f"/api/v1/sections/{second.id}/", {"position": 1})
    assert titles(course.sections) == [(1, "Part 2"), (2, "Part 1"), (3, "Part 3")]
    last = second.lessons.get(position=3)
    author.patch(f"/api/v1/lessons/{last.id}/", {"position": 1, "title": "Last, first"})
    assert titles(second.lessons) == [(1, "Last, first"), (2, "Lesson 1"), (3, "Lesson 2")]
    author.post(f"/api/v1/sections/{second.id}/lessons/", {"title": "In between", "kind": "article", "position": 2})
    assert [title for _, title in titles(second.lessons)][1] == "In between"
    author.patch(f"/api/v1/lessons/{last.id}/", {"position": 9999})
    assert titles(second.lessons)[-1] == (4, "Last, first")
    author.delete(f"/api/v1/lessons/{second.lessons.get(position=1).id}/")
    assert [position for position, _ in titles(second.lessons)] == [1, 2, 3]
    author.delete(f"/api/v1/sections/{second.id}/")
    assert titles(course.sections) == [(1, "Part 1"), (2, "Part 3")]


def test_a_sold_course_is_withdrawn_not_deleted(author, api, ines, alice, bob):
    course = make_course(instructor=ines)
    grant(alice, course)
    refused = author.delete("/api/v1/courses/baking/")
    assert (refused.status_code, refused.json()["code"]) == (409, "course_sold")
    assert "unpublish" in refused.json()["detail"]
    assert author.post("/api/v1/courses/baking/unpublish/").json()["status"] == "withdrawn"
    assert api.as_(alice).get("/api/v1/courses/baking/").status_code == 200
    assert api.as_(bob).get("/api/v1/courses/baking/").status_code == 404
    assert author.post("/api/v1/courses/baking/publish/").json()["status"] == "published"


def test_a_course_is_not_deleted_out_of_a_bundle_that_would_cost_the_same_without_it(author, api, ines):
    for slug in ("baking", "cakes"):
        make_course(slug, instructor=ines)
    bundle = books.bundle("oven", 60, "baking", "cakes")
    assert author.post("/api/v1/courses/cakes/unpublish/").status_code == 200
    refused = author.delete("/api/v1/courses/cakes/")
    assert (refused.status_code, refused.json()["code"]) == (409, "course_bundled")
    assert "oven" in refused.json()["detail"]
    assert api.get("/api/v1/bundles/oven/").status_code == 404
    bundle.courses.remove(Course.objects.get(slug="cakes"))
    assert author.delete("/api/v1/courses/cakes/").status_code == 204


def test_an_unsold_course_is_deleted_with_all_its_parts(author, ines):
    course = make_course(lessons=1, instructor=ines)
    make_package(make_lesson(course.sections.get(), 2, kind="video"))
    assert author.post("/api/v1/courses/baking/unpublish/").json()["status"] == "draft"
    assert author.delete("/api/v1/courses/baking/").status_code == 204
    assert not Course.objects.exists()
    assert not Lesson.objects.exists()


def test_what_people_got_with_a_course_stays_theirs(author, api, ines, alice):
    course = make_course(sections=2, lessons=1, instructor=ines)
    (kept, _), (first, _) = lessons_of(course), course.sections.all()
    enrolment = grant(alice, course)
    added = author.post(f"/api/v1/sections/{first.id}/lessons/", {"title": "By mistake", "kind": "article"}).json()
    for path in (f"/api/v1/lessons/{kept.id}/", f"/api/v1/sections/{first.id}/"):
        refused = author.delete(path)
        assert (refused.status_code, refused.json()["code"]) == (409, "lesson_had")
        assert refused.json()["errors"] == {"lessons": ['"Lesson 1"']}
    assert author.delete(f"/api/v1/lessons/{added['id']}/").status_code == 204
    assert api.as_(alice).get(f"/api/v1/lessons/{kept.id}/").status_code == 200
    Enrolment.objects.filter(pk=enrolment.pk).update(ended_at=timezone.now())
    assert author.delete(f"/api/v1/sections/{first.id}/").status_code == 204


def test_a_lesson_goes_when_the_time_of_all_who_had_it_is_over(author, ines, alice, bob):
    course = make_course(lessons=2, instructor=ines)
    gone, kept = lessons_of(course)
    over = timezone.now() - timedelta(minutes=1)
    grant(alice, course, started_at=over - timedelta(days=1), valid_until=over)
    Lesson.objects.update(created_at=over - timedelta(days=2))
    assert author.delete(f"/api/v1/lessons/{gone.id}/").status_code == 204
    grant(bob, course, valid_until=timezone.now() + timedelta(days=1))
    assert author.delete(f"/api/v1/lessons/{kept.id}/").status_code == 409


@pytest.mark.postgres
def test_not_even_sql_takes_a_lesson_from_who_has_it(committed_db, alice):
    course, other = make_course(lessons=1), make_course("other")
    grant(alice, course)
    lesson, section = lessons_of(course)[0], course.sections.get()
    for take in (
        lambda: Lesson.objects.filter(pk=lesson.pk).delete(),
        lambda: Lesson.objects.filter(pk=lesson.pk).update(section=other.sections.get()),
        lambda: Section.objects.filter(pk=section.pk).update(course=other),
    ):
        with pytest.raises(IntegrityError):
            take()
    assert lessons_of(course) == [lesson]


@pytest.mark.postgres
def test_a_lesson_is_deleted_while_somebody_enrols(committed_db, alice, at_once):
    """Either they get the course without it, or with it and it stays."""
    for round_number in range(8):
        course = make_course(f"course-{round_number}")
        lesson = lessons_of(course)[1]

        def act(number, course=course, lesson=lesson):
            if number:
                return do_delete_lesson(lesson)
            with transaction.atomic():
                return grant(alice, course)

        _, deleted = at_once(2, act)
        assert isinstance(deleted, LessonHad) == Lesson.objects.filter(pk=lesson.pk).exists()


@pytest.mark.postgres
def test_what_is_changed_while_it_is_deleted_is_not_there(committed_db, at_once):
    section = make_course(sections=1).sections.get()
    lesson = section.lessons.first()
    calls = [
        lambda: do_delete_section(section),
        lambda: do_add_lesson(Section.objects.get(pk=section.pk), title="New", kind="article"),
        lambda: do_update_lesson(lesson, title="Changed", position=2),
    ]
    for result in at_once(3, lambda number: calls[number]()):
        assert not isinstance(result, Exception) or isinstance(result, NotFound | Section.DoesNotExist), result
    assert not Section.objects.exists()


def test_a_course_on_sale_keeps_what_it_needs(author, ines):
    make_course(instructor=ines)
    refused = author.patch("/api/v1/courses/baking/", {"summary": "", "price": 3})
    assert (refused.status_code, refused.json()["code"]) == (409, "course_incomplete")
    assert refused.json()["errors"] == {"summary": ["The course has no summary."]}
    assert Course.objects.get().price == 40
    author.post("/api/v1/courses/baking/unpublish/")
    assert author.patch("/api/v1/courses/baking/", {"summary": ""}).status_code == 200


def test_tags_are_those_that_there_are(author, ines):
    make_course(instructor=ines)
    for slug in ("bread", "oven"):
        Tag.objects.create(slug=slug, name=slug.title())
    page = author.patch("/api/v1/courses/baking/", {"tags": ["oven", "bread", "oven"]}).json()
    assert page["tags"] == [{"slug": "bread", "name": "Bread"}, {"slug": "oven", "name": "Oven"}]
    refused = author.patch("/api/v1/courses/baking/", {"tags": ["oven", "fire"]})
    assert (refused.status_code, refused.json()["errors"]) == (422, {"tags": ["There is no such tag: fire."]})
    made = author.post("/api/v1/courses/", {"title": "Cakes", "price": 1, "tags": ["oven"]}).json()
    assert [tag["slug"] for tag in made["tags"]] == ["oven"]
    assert author.patch("/api/v1/courses/baking/", {"tags": []}).json()["tags"] == []


@pytest.mark.postgres
def test_a_course_is_sold_while_it_is_deleted(committed_db, alice, at_once):
    """Either it is gone and nobody has it, or somebody has it and it is there."""
    for round_number in range(8):
        course = make_course(f"course-{round_number}")

        def act(number, course=course):
            if number:
                return do_delete_course(course)
            with transaction.atomic():
                return grant(alice, course)

        at_once(2, act)
        exists = Course.objects.filter(pk=course.pk).exists()
        assert exists == Enrolment.objects.filter(course_id=course.pk).exists()


@pytest.mark.postgres
def test_lessons_that_are_added_at_once_get_places_of_their_own(committed_db, ines, at_once):
    section = make_course(lessons=0).sections.get()
    at_once(6, lambda number: do_add_lesson(Section.objects.get(pk=section.pk), title=f"L{number}", kind="video"))
    assert sorted(section.lessons.values_list("position", flat=True)) == [1, 2, 3, 4, 5, 6]


def test_whatever_the_code_forgets_a_sold_course_stays(alice):
    course = make_course(sections=0)
    grant(alice, course)
    with pytest.raises(CourseSold):
        do_delete_course(course)
    with pytest.raises(ProtectedError):
        course.delete()


@pytest.mark.postgres
def test_not_even_sql_deletes_a_sold_course(committed_db, alice):
    grant(alice, make_course(sections=0))
    with connection.cursor() as cursor, pytest.raises(IntegrityError):
        cursor.execute("DELETE FROM courses_course")
