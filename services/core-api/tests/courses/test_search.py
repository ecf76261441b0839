"""Finding courses by words, on PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from courses.actions import do_publish, do_unpublish, do_update_course
from courses.models import Category, Course, Tag
from tests.conftest import Api, person
from tests.factories import make_course

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("database")]


@pytest.fixture
def shelf() -> dict[str, Course]:
    craft = Category.objects.create(slug="craft", name="Handicraft")
    texts = {
        "python": ("Python for beginners", "Loops and functions."),
        "java": ("Java", "A course about JavaScript it is not."),
        "javascript": ("JavaScript in the browser", "Buttons that do something."),
        "photo": ("Night photography", "Long exposures, tripods, and Python-shaped star trails."),
        "cheese": ("Käse, selbst gemacht", "Milch, Lab und Geduld. L'art du fromage."),
        "guitar": ("Guitar: the first ten chords", "Six strings."),
    }
    return {
        slug: make_course(slug, sections=0, title=title, summary=summary, description="", category=craft)
        for slug, (title, summary) in texts.items()
    }


def found(words: str, **more: Any) -> list[str]:
    answer = Api().get("/api/v1/courses/", {"search": words} | more)
    assert answer.status_code == 200, answer.content
    return [course["slug"] for course in answer.json()["results"]]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("guitar", ["guitar"]),
        ("GUIT", ["guitar"]),  # begun
        ("gitar", ["guitar"]),  # a letter too few
        ("guitarr", ["guitar"]),  # a letter too many
        ("guitra", ["guitar"]),  # two turned round
        ("photogaphy nihgt", ["photo"]),
        ("fotography", ["photo"]),
        ("javascrpt", ["javascript", "java"]),
        ("kase", ["cheese"]),  # without the dots
        ("KÄSE", ["cheese"]),
        ("l'art fromage", ["cheese"]),
        ("python guitar", []),  # all words
        ("xylophone", []),
        ("handicraft guitar", ["guitar"]),
        ("!!!", []),
        ("' | ':* & ! \\", []),
        ("%", []),
        ("guitar:*", ["guitar"]),
    ],
)
def test_what_is_found(shelf: dict[str, Course], asked: str, expected: list[str]) -> None:
    assert found(asked) == expected


def test_the_best_match_comes_first(shelf: dict[str, Course]) -> None:
    assert found("python") == ["python", "photo"]  # in the title, in the summary
    assert found("java") == ["java", "javascript"]  # the word itself, one that begins so
    assert found("python", ordering="title") == ["photo", "python"]


def test_a_right_spelling_is_not_diluted() -> None:
    weaving, _ = (make_course(title.lower(), sections=0, title=title) for title in ("Weaving", "Weaning"))
    assert found("weaving") == ["weaving"]
    assert sorted(found("weeving")) == ["weaning", "weaving"]
    weaving.delete()
    assert found("weaving") == ["weaning"]


def test_what_changes_is_found_by_its_new_words_alone(shelf: dict[str, Course]) -> None:
    guitar = shelf["guitar"]
    do_update_course(guitar, title="Ukulele", description="Four strings.")
    assert (found("ukulele"), found("guitar")) == (["guitar"], [])
    tag = Tag.objects.create(slug="music", name="Musik")
    do_update_course(guitar, tags=[tag])
    assert found("musik") == ["guitar"]
    tag.name = "Tonkunst"
    tag.save()
    assert (found("tonkunst"), found("musik")) == (["guitar"], [])
    teacher = person("joan")
    guitar.instructors.add(teacher)
    assert found("joan ukulele") == ["guitar"]
    teacher.name = "Joanna Armatrading"
    teacher.save()
    assert found("armatrading") == ["guitar"]
    teacher.name = ""
    teacher.username = "trotwood"
    teacher.save()
    assert found("trotwood") == ["guitar"]
    teacher.username = "copperfield"  # by staff
    teacher.save()
    assert (found("copperfield"), found("trotwood")) == (["guitar"], [])
    Category.objects.update(name="Everything")
    assert len(found("everything")) == len(shelf)
    do_update_course(guitar, tags=[])
    guitar.instructors.clear()
    assert found("tonkunst") == found("copperfield") == []


def test_drafts_are_not_found_and_their_words_are_no_alternatives() -> None:
    draft = make_course("zither", sections=1, status="draft", title="Zither")
    assert found("zither") == []
    do_publish(draft)
    assert found("zitehr") == ["zither"]
    do_unpublish(draft)
    assert found("zither") == []
    draft.refresh_from_db()
    draft.sections.all().delete()
    draft.delete()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM courses_searchentry")
        assert cursor.fetchone() == (0,)


def test_authors_find_their_own_drafts() -> None:
    ines = person("ines", "instructor")
    make_course("zither", sections=0, status="draft", title="Zither", instructor=ines)
    make_course("zither-of-others", sections=0, status="draft", title="Zither")
    answer = Api().as_(ines).get("/api/v1/courses/?managed=true&search=zith")
    assert [course["slug"] for course in answer.json()["results"]] == ["zither"]


@pytest.mark.parametrize("text", ["x" * 5000, "word " * 30_000, "日本語の本", "हिन्दी में", "\u0301\u0302", "a'b\\c\"d"])
def test_whatever_the_text_a_course_is_published(text: str) -> None:
    make_course("odd", sections=0, description=text, title=text[:200].strip())
    assert Course.objects.get().status == "published"


def test_scripts_without_latin_letters_are_found() -> None:
    make_course("hindi", sections=0, title="हिन्दी सीखें")
    make_course("greek", sections=0, title="Ελληνικά")
    assert found("हिन्दी") == ["hindi"]
    assert found("ΕΛΛΗΝΙΚΑ") == found("ελληνκα") == ["greek"]


def test_two_changes_of_a_course_at_once_are_both_found(committed_db: str, at_once: Any) -> None:
    course = make_course("both", sections=0)
    tags = [Tag.objects.create(slug=name, name=name) for name in ("quilting", "weaving")]
    assert at_once(2, lambda number: course.tags.add(tags[number])) == [None, None]
    assert found("quilting weaving") == ["both"]
