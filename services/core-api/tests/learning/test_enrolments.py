"""Who has which course."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from tests.factories import grant, make_course
from tests.learning.conftest import has_access

pytestmark = pytest.mark.usefixtures("database")


def soon():
    return timezone.now() + timedelta(minutes=1)


def past():
    return timezone.now() - timedelta(minutes=1)


def test_access_lasts_until_the_last_reason_ends(alice, bob):
    course = make_course()
    assert not has_access(alice, course)
    first, second = grant(alice, course, valid_until=past()), grant(alice, course, valid_until=soon())
    assert has_access(alice, course)
    assert not has_access(bob, course)
    assert not has_access(AnonymousUser(), course)
    second.ended_at = timezone.now()
    second.save()
    assert not has_access(alice, course)
    first.valid_until = None
    first.save()
    assert has_access(alice, course)


def test_alice_lists_what_she_has(api, alice, bob):
    baking = grant(alice, make_course())
    until = grant(alice, make_course("cheese"), valid_until=soon())
    grant(alice, make_course("over"), valid_until=past())
    grant(alice, make_course("ended"), ended_at=timezone.now())
    grant(bob, make_course("bobs"))
    listed = api.as_(alice).get("/api/v1/enrolments/").json()
    assert [(each["course"]["slug"], each["id"]) for each in listed["results"]] == [
        ("cheese", str(until.id)),
        ("baking", str(baking.id)),
    ]
    assert listed["results"][1]["source"] == "grant"
    assert listed["results"][1]["valid_until"] is None
    assert listed["results"][0]["valid_until"].endswith("Z")


def test_enrolments_are_private(api):
    assert api.get("/api/v1/enrolments/").status_code == 401
