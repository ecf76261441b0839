"""What anybody sees of the courses on sale."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from courses.models import Category, Course, Tag
from tests.factories import grant, lessons_of, make_course, make_lesson, make_package

pytestmark = pytest.mark.usefixtures("database")


def slugs(answer):
    assert answer.status_code == 200, answer.content
    return [course["slug"] for course in answer.json()["results"]]


def test_a_card_says_what_the_contract_says(api):
    course = make_course(lessons=1)
    make_package(make_lesson(course.sections.get(), 2, kind="video"), duration_s=61.5)
    assert api.get("/api/v1/courses/").json() == {
        "count": 1,
        "next": None,
        "previous": None,
        "results": [
            {
                "id": str(course.id),
                "slug": "baking",
                "title": "Baking",
                "summary": "Bread.",
                "price": 40,
                "category": "food",
                "level": "beginner",
                "language": "en",
                "tags": [],
                "instructors": [],
                "status": "published",
                "rating": None,
                "ratings_count": 0,
                "access_days": None,
                "access_until": None,
                "lessons_count": 2,
                "duration_s": 61.5,
                "poster_url": None,
                "enrolled": False,
            }
        ],
    }


def test_drafts_and_withdrawn_courses_are_not_on_sale(api):
    make_course("drafted", status="draft")
    make_course("withdrawn", status="withdrawn")
    make_course("sold")
    assert slugs(api.get("/api/v1/courses/")) == ["sold"]


def test_alice_sees_what_she_has(api, alice, bob):
    grant(alice, make_course())
    assert api.as_(alice).get("/api/v1/courses/").json()["results"][0]["enrolled"]
    assert not api.as_(bob).get("/api/v1/courses/").json()["results"][0]["enrolled"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("search=knife", ["carving"]),
        ("search=KNIFE wood", ["carving"]),
        ("search=knife oven", []),
        ("category=craft", ["carving"]),
        ("category=nothing", []),
        ("level=advanced", ["carving"]),
        ("language=de", ["carving"]),
        ("price_min=41", ["carving"]),
        ("price_max=40", ["baking"]),
        ("price_min=40&price_max=60&level=beginner", ["baking"]),
        ("ordering=price", ["baking", "carving"]),
        ("ordering=-price", ["carving", "baking"]),
        ("ordering=title&page_size=1", ["baking"]),
        ("ordering=published_at,-price", ["carving", "baking"]),
        ("tag=hands-on", ["carving"]),
        ("instructor=INES", ["carving"]),
        ("instructor=ivan", []),
        ("free=true", []),
        ("free=false&tag=hands-on&search=knife&language=de&ordering=-price", ["carving"]),
    ],
)
def test_filters_and_orderings_combine(api, ines, asked, found):
    make_course()
    craft = Category.objects.create(slug="craft", name="Craft")
    described = {"title": "Wood and Knife", "summary": "x", "price": 60, "level": "advanced", "language": "de"}
    carving = make_course("carving", instructor=ines, category=craft, **described)
    carving.tags.add(Tag.objects.create(slug="hands-on", name="Hands-on"))
    assert slugs(api.get(f"/api/v1/courses/?{asked}")) == found


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("price_min=cheap", "price_min"),
        ("ordering=random", "ordering"),
        ("ordering=price,random", "ordering"),
        ("free=perhaps", "free"),
        ("tag=No Tag!", "tag"),
        ("level=guru", "level"),
        ("price_max=-1", "price_max"),
    ],
)
def test_nonsense_is_named(api, asked, field):
    answer = api.get(f"/api/v1/courses/?{asked}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert set(answer.json()["errors"]) == {field}


def test_the_best_rated_come_first_and_those_without_a_rating_last(api):
    for slug, stars in (("fair", 3), ("unrated", None), ("great", 5)):
        course = make_course(slug)
        if stars:
            Course.objects.filter(pk=course.pk).update(ratings_count=1, ratings_sum=stars)
    assert slugs(api.get("/api/v1/courses/?ordering=-rating")) == ["great", "fair", "unrated"]
    assert slugs(api.get("/api/v1/courses/?ordering=rating")) == ["fair", "great", "unrated"]


def test_what_one_may_filter_by(api):
    Category.objects.create(slug="craft", name="Craft")
    for slug, status in (("baking", "published"), ("cakes", "draft")):
        make_course(slug, status=status).tags.add(Tag.objects.get_or_create(slug="oven", name="Oven")[0])
    categories = [
        {"slug": "craft", "name": "Craft", "courses_count": 0},
        {"slug": "food", "name": "Food", "courses_count": 1},
    ]
    assert api.get("/api/v1/categories/").json()["results"] == categories
    assert api.get("/api/v1/tags/").json()["results"] == [{"slug": "oven", "name": "Oven", "courses_count": 1}]


def queries(api, path):
    api.get(path)  # what is done once in a while, such as reading the signing keys, is done
    with CaptureQueriesContext(connection) as captured:
        assert api.get(path).status_code == 200
    return len(captured)


def test_the_number_of_queries_does_not_grow(api, alice, ines):
    baking = Tag.objects.create(slug="baking", name="Baking")
    for number in range(12):
        course = make_course(f"course-{number}", sections=1 + number // 2, lessons=1 + number // 3, instructor=ines)
        course.tags.add(baking)
        if number == 0:
            few = [queries(api.as_(alice), path) for path in ("/api/v1/courses/", "/api/v1/courses/course-0/")]
    many = [queries(api.as_(alice), path) for path in ("/api/v1/courses/", "/api/v1/courses/course-11/")]
    assert few == many
    assert many[0] <= 5
    assert many[1] <= 7
    assert queries(api.as_(alice), "/api/v1/courses/?search=bread&tag=baking&instructor=ines&ordering=price") <= 5


def test_an_author_s_own_draft_takes_no_more_than_seven_queries(api, ines):
    make_course(status="draft", sections=3, instructor=ines)
    assert queries(api.as_(ines), "/api/v1/courses/baking/") <= 7


def test_pages_hold_each_course_once_though_all_are_equal(api):
    for number in range(7):
        make_course(f"course-{number}", title="Bread")
    for ordering in ("title", "price", "-published_at,title"):
        for words in ("", "&search=bread"):
            path = f"/api/v1/courses/?page_size=3&ordering={ordering}{words}"
            shown = [slug for page in (1, 2, 3) for slug in slugs(api.get(f"{path}&page={page}"))]
            assert sorted(shown) == [f"course-{number}" for number in range(7)]


def test_a_course_page_has_its_outline(api):
    course = make_course(sections=2, lessons=1)
    page = api.get("/api/v1/courses/baking/").json()
    assert page["description"] == "All about bread."
    first, second = lessons_of(course)
    assert [section["title"] for section in page["sections"]] == ["Part 1", "Part 2"]
    assert page["sections"][0]["lessons"] == [
        {
            "id": str(first.id),
            "title": "Lesson 1",
            "position": 1,
            "duration_s": None,
            "is_preview": True,
            "kind": "article",
            "opens_at": None,
            "opens_after_days": None,
        }
    ]
    assert page["sections"][1]["lessons"][0]["id"] == str(second.id)
    assert "body" not in str(page)


@pytest.mark.parametrize("status", ["draft", "withdrawn"])
def test_who_sees_a_course_that_is_not_on_sale(api, status, alice, bob, ines, root, make_person):
    course = make_course(status=status, instructor=ines)
    grant(alice, course)
    others = make_person("ivan", "instructor")
    seen = {
        person and person.username: (api.as_(person) if person else api).get("/api/v1/courses/baking/").status_code
        for person in (None, alice, bob, ines, others, root)
    }
    assert seen == {None: 404, "alice": 200, "bob": 404, "ines": 200, "ivan": 404, "root": 200}


def test_a_made_up_course(api):
    answer = api.get("/api/v1/courses/made-up/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


# --- Lessons -------------------------------------------------------------------------------------------------------


def test_who_may_open_a_lesson(api, alice, bob, ines, root, make_person, settings):
    course = make_course(instructor=ines)
    grant(alice, course)
    preview, lesson = lessons_of(course)
    watcher = make_person("wanda", "course_manager")
    opened = {
        person and person.username: (api.as_(person) if person else api).get(f"/api/v1/lessons/{lesson.id}/")
        for person in (None, alice, bob, ines, make_person("ivan", "instructor"), watcher, root)
    }
    assert {name: answer.status_code for name, answer in opened.items()} == {
        None: 401, "alice": 200, "bob": 403, "ines": 200, "ivan": 403, "wanda": 200, "root": 200,
    }  # fmt: skip
    assert opened["bob"].json()["code"] == "not_enrolled"
    assert opened["alice"].json() == {
        "id": str(lesson.id),
        "course": "baking",
        "title": "Lesson 2",
        "body": "# Flour",
        "body_html": "<h1>Flour</h1>\n",
        "kind": "article",
        "duration_s": None,
        "is_preview": False,
        "video": {"status": "none", "playable": False},
        "captions": [],
        "attachments": [],
        "position_s": 0,
        "completed": False,
    }
    assert api.get(f"/api/v1/lessons/{preview.id}/").status_code == 200


def test_lessons_of_courses_not_on_sale(api, alice, bob):
    course = make_course(status="withdrawn")
    preview, lesson = lessons_of(course)
    grant(alice, course)
    assert api.as_(alice).get(f"/api/v1/lessons/{lesson.id}/").status_code == 200
    for stranger in (api, api.as_(bob)):
        for each in (preview.id, lesson.id, uuid.uuid4()):
            assert stranger.get(f"/api/v1/lessons/{each}/").status_code == 404


def test_a_lesson_whose_video_is_ready(api, alice):
    course = make_course(lessons=0)
    lesson = make_lesson(course.sections.get(), kind="video")
    lesson.captions.create(language="de", label="Deutsch", path="captions/x.vtt")
    lesson.video_assets.create(source="x", status="processing")
    grant(alice, course)
    path = f"/api/v1/lessons/{lesson.id}/"
    assert api.as_(alice).get(path).json()["video"] == {"status": "processing", "playable": False}
    make_package(lesson, 24)
    page = api.as_(alice).get(path).json()
    assert (page["video"], page["duration_s"]) == ({"status": "ready", "playable": True}, 24)
    assert page["captions"] == [{"language": "de", "label": "Deutsch"}]
