"""Who gets what of a course: matrix.csv, route by route. A route of these apps that is not in it fails here."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from access import table
from django.db import transaction
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from courses.models import Course
from learning.certificates import do_issue
from learning.reviews import do_review
from tests.access.test_routes import declared
from tests.conftest import Api, person
from tests.factories import grant, lessons_of, make_course

PEOPLE = ("anonymous", "stranger", "enrolled", "expired", "instructor", "other_instructor", "staff")
APPS = (
    "categories",
    "tags",
    "courses",
    "bundles",
    "sections",
    "lessons",
    "enrolments",
    "reviews",
    "certificates",
)  # what the routes begin with


def _lines() -> list[dict[str, str]]:
    with Path(__file__).with_name("matrix.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


LINES = _lines()


def body_for(line: dict[str, str], course: Course) -> dict[str, Any]:
    """A good body for the routes that need one."""
    section, now = course.sections.get(), timezone.now().isoformat()
    outline = [{"id": str(section.pk), "lessons": [str(lesson.pk) for lesson in section.lessons.all()]}]
    bodies: dict[tuple[str, str], dict[str, Any]] = {
        ("POST", "/api/v1/courses/"): {"title": "Cakes", "price": 10},
        ("PATCH", "/api/v1/courses/{slug}/"): {"price": 10},
        ("PUT", "/api/v1/courses/{slug}/outline/"): {"sections": outline},
        ("POST", "/api/v1/courses/{slug}/sections/"): {"title": "Crust"},
        ("PATCH", "/api/v1/sections/{section}/"): {"title": "Crust"},
        ("POST", "/api/v1/sections/{section}/lessons/"): {"title": "Crust", "kind": "article"},
        ("PATCH", "/api/v1/lessons/{lesson}/"): {"title": "Crust"},
        ("PUT", "/api/v1/lessons/{lesson}/progress/"): {"position_s": 0, "watched": [], "client_time": now},
        ("POST", "/api/v1/courses/{slug}/reviews/"): {"rating": 5},
        ("PATCH", "/api/v1/reviews/{pk}/"): {"rating": 5},
    }
    return bodies.get((line["method"], line["route"]), {})


@pytest.fixture
def course(db: None, ines: Any) -> Course:
    return make_course(instructor=ines)


@pytest.fixture
def clients(course: Course, ines: Any) -> dict[str, Client]:
    people = {name: person(name.replace("_", "-")) for name in ("stranger", "enrolled", "expired")}
    people |= {"instructor": ines, "staff": person("mona", "course_manager")}
    people["other_instructor"] = person("ivan", "instructor")
    make_course("cakes-by-ivan", instructor=people["other_instructor"])
    grant(people["enrolled"], course)
    yesterday = timezone.now() - timedelta(days=1)
    grant(people["expired"], course, valid_until=yesterday)
    return {name: Api().as_(people[name]) if name in people else Api() for name in PEOPLE}


def test_the_matrix_names_every_route_of_a_course() -> None:
    routes = {route for route in dict(declared(get_resolver())) if route[1].split("/")[3:4] in [[app] for app in APPS]}
    assert {(line["method"], line["route"]) for line in LINES} == routes


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line['method']} {line['route']}")
def test_each_gets_what_the_matrix_says(course: Course, clients: dict[str, Client], line: dict[str, str]) -> None:
    lesson = lessons_of(course)[1]
    lesson.captions.create(language="en", label="English", path="captions/x.vtt")
    kept = {"content_type": "text/plain", "size_bytes": 1, "sha256": "0" * 64, "path": "attachments/0/0"}
    attachment = lesson.attachments.create(name="notes.txt", **kept)
    values = {"slug": course.slug, "section": str(lesson.section_id), "lesson": str(lesson.pk), "language": "en"}
    values["attachment"] = str(attachment.pk)
    enrolled = course.enrolments.get(user__username="enrolled").user
    values["pk"] = str(do_review(enrolled, course, rating=4, text="").pk)
    values["code"] = do_issue(enrolled, course).code
    body = json.dumps(body_for(line, course))
    answers = {}
    for name, client in clients.items():
        savepoint = transaction.savepoint()
        path = table.filled(line["route"], values)
        answer = client.generic(line["method"], path, body, content_type="application/json")
        answers[name] = str(answer.status_code)
        transaction.savepoint_rollback(savepoint)
    assert answers == {name: line[name] for name in PEOPLE}
