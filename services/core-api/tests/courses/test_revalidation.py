"""The catalogue and a course's page are asked for again cheaply, and nobody is shown what was somebody else's."""

from __future__ import annotations

import pytest

from courses.models import Course
from tests.factories import grant, make_course

pytestmark = pytest.mark.usefixtures("database")
PATHS = ["/api/v1/courses/", "/api/v1/courses/?search=bread&ordering=price", "/api/v1/courses/baking/"]


@pytest.mark.parametrize("path", PATHS)
def test_who_has_the_answer_is_told_so(api, alice, path):
    course = make_course()
    client = api.as_(alice)
    first = client.get(path)
    known = {"HTTP_IF_NONE_MATCH": first["ETag"]}
    again = client.get(path, **known)
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert client.get(path, HTTP_IF_NONE_MATCH=f'"other", W/{first["ETag"]}').status_code == 304
    assert client.head(path, **known).status_code == 304
    Course.objects.update(price=7)
    assert client.get(path, **known).status_code == 200
    Course.objects.update(price=course.price)
    assert client.get(path, **known).status_code == 304
    grant(alice, course)
    assert client.get(path, **known).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_what_is_a_person_s_own_is_kept_by_nobody_else(api, alice, path):
    make_course()
    for client, kept in ((api, "public"), (api.as_(alice), "private")):
        answer = client.get(path)
        assert {part.strip() for part in answer["Cache-Control"].split(",")} == {kept, "no-cache"}
        assert "Authorization" in answer["Vary"]


def test_what_is_not_there_has_no_tag(api):
    answer = api.get("/api/v1/courses/made-up/")
    assert (answer.status_code, answer.has_header("ETag")) == (404, False)
    assert "Authorization" in answer["Vary"]
