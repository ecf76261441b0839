"""Putting a whole course in order at once."""

from __future__ import annotations

import uuid

import pytest

from courses.actions import do_add_section, do_delete_section
from courses.errors import OutlineChanged
from courses.models import Course
from courses.outlines import Place, do_arrange
from tests.factories import lessons_of, make_course

pytestmark = pytest.mark.usefixtures("database")
PATH = "/api/v1/courses/baking/outline/"


@pytest.fixture
def author(api, ines):
    return api.as_(ines)


def outline_of(course):
    return [
        {"id": str(section.pk), "lessons": [str(lesson.pk) for lesson in section.lessons.all()]}
        for section in course.sections.all()
    ]


def test_sections_and_lessons_take_the_places_that_ines_gives_them(author, ines):
    course = make_course(sections=3, lessons=2, instructor=ines)
    first, second, third = outline_of(course)
    wanted = [
        {"id": third["id"], "lessons": [*reversed(third["lessons"]), first["lessons"][1]]},
        {"id": first["id"], "lessons": []},
        {"id": second["id"], "lessons": [first["lessons"][0], *second["lessons"]]},
    ]
    page = author.put(PATH, {"sections": wanted})
    assert page.status_code == 200, page.content
    shown = [{"id": s["id"], "lessons": [lesson["id"] for lesson in s["lessons"]]} for s in page.json()["sections"]]
    assert shown == outline_of(course) == wanted
    assert [lesson["position"] for lesson in page.json()["sections"][0]["lessons"]] == [1, 2, 3]


def test_what_does_not_name_all_there_is_changes_nothing(author, ines):
    course = make_course(sections=2, lessons=2, instructor=ines)
    foreign = make_course("other")
    first, second = before = outline_of(course)
    stranger = str(lessons_of(foreign)[0].pk)
    for wanted, told in (
        ([first], {"sections": [f'"Part 2" ({second["id"]}) is not in the outline.']}),
        (
            [first, second | {"lessons": second["lessons"][:1]}],
            {"lessons": [f'"Lesson 2" ({second["lessons"][1]}) is not in the outline.']},
        ),
        (
            [first, second | {"lessons": [*second["lessons"], stranger]}],
            {"lessons": [f"{stranger} is not in the course."]},
        ),
        (
            [*before, outline_of(foreign)[0] | {"lessons": []}],
            {"sections": [f"{outline_of(foreign)[0]['id']} is not in the course."]},
        ),
    ):
        answer = author.put(PATH, {"sections": wanted})
        assert (answer.status_code, answer.json()["code"], answer.json()["errors"]) == (409, "outline_changed", told)
        assert outline_of(course) == before


@pytest.mark.parametrize(
    "body", [{}, {"sections": "x"}, {"sections": [{"id": "x", "lessons": []}]}, {"sections": [{}]}]
)
def test_nonsense_is_named(author, ines, body):
    make_course(instructor=ines)
    answer = author.put(PATH, body)
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["sections"])


def test_nothing_stands_twice(author, ines):
    make_course(instructor=ines)
    one = str(uuid.uuid4())
    answer = author.put(PATH, {"sections": [{"id": one, "lessons": [one]}]})
    assert answer.json()["errors"] == {"sections": [f"Each stands once in an outline: {one} does not."]}


@pytest.mark.postgres
def test_two_people_change_an_outline_at_once_and_no_section_is_lost(committed_db, at_once):
    """One puts in order what they saw, the other adds or deletes: both happen, or the first is told to look again."""
    for round_number in range(6):
        course = make_course(f"course-{round_number}", sections=4, lessons=1)
        seen = [Place(section.pk, [lesson.pk for lesson in section.lessons.all()]) for section in course.sections.all()]

        def act(number, course=course, seen=seen, adds=round_number % 2 == 0):
            if number == 0:
                return do_arrange(course, seen[::-1])
            if adds:
                return do_add_section(course, title="New", position=2)
            return do_delete_section(course.sections.get(pk=seen[0].section))

        arranged, other = at_once(2, act)
        assert arranged is None or isinstance(arranged, OutlineChanged), arranged
        assert not isinstance(other, Exception), other
        titles = [section.title for section in course.sections.all()]
        assert len(titles) == (5 if round_number % 2 == 0 else 3)
        assert list(course.sections.values_list("position", flat=True)) == list(range(1, len(titles) + 1))


@pytest.mark.postgres
def test_two_orders_at_once_leave_one_of_them(committed_db, at_once):
    course = make_course(sections=5, lessons=2)
    seen = [Place(section.pk, [lesson.pk for lesson in section.lessons.all()]) for section in course.sections.all()]
    orders = [seen[::-1], seen[2:] + seen[:2]]
    assert at_once(2, lambda number: do_arrange(Course.objects.get(), orders[number])) == [None, None]
    kept = [Place(section.pk, [lesson.pk for lesson in section.lessons.all()]) for section in course.sections.all()]
    assert kept in orders
