"""Whatever shrinks somebody's access is told at once; nothing else is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils import timezone

from accounts import actions, sessions
from accounts.models import LoginSession, User
from tests import books
from tests.conftest import PASSWORD, Api
from tests.published.conftest import Published

pytestmark = pytest.mark.postgres

Heard = Callable[[], list[str]]
EVERYBODY = [""]


@pytest.mark.parametrize(
    "change",
    [
        {"is_active": False},
        {"is_staff": False},
        {"is_superuser": False},
        {"generation": 1},
        {"erased_at": timezone.now()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_person_loses_something(root: User, heard: Heard, change: dict[str, Any]) -> None:
    User.objects.filter(pk=root.pk).update(**change)
    assert heard() == [str(root.pk)]
    User.objects.filter(pk=root.pk).update(**change)
    assert heard() == []  # lost already


def test_what_gives_a_person_more_is_not_told(alice: User, heard: Heard) -> None:
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True, name="A", last_login=timezone.now())
    alice.groups.add(Group.objects.get(name="instructor"))
    alice.user_permissions.add(Permission.objects.get(codename="refund"))
    Group.objects.get(name="learner").permissions.add(Permission.objects.get(codename="watch_any"))
    User.objects.create_user("carol", "carol@example.org", PASSWORD)
    pair = Api().post("/api/v1/auth/token/", {"username": "carol", "password": PASSWORD}).json()
    Api().post("/api/v1/auth/token/refresh/", {"refresh": pair["refresh"]})
    assert heard() == []


def test_a_person_leaves_a_group_or_loses_a_permission(ines: User, heard: Heard) -> None:
    ines.groups.clear()
    assert heard() == [str(ines.pk)]
    ines.user_permissions.add(Permission.objects.get(codename="refund"))
    ines.user_permissions.clear()
    assert heard() == [str(ines.pk)]


def test_a_group_loses_a_permission_its_name_or_its_life(ines: User, agnes: User, heard: Heard) -> None:
    instructors = Group.objects.get(name="instructor")
    instructors.permissions.clear()
    assert heard() == EVERYBODY
    instructors.name = "teacher"
    instructors.save()
    assert heard() == EVERYBODY
    Group.objects.get(name="support_agent").delete()
    assert sorted(heard()) == ["", str(agnes.pk)]


def test_a_login_ends(alice: User, heard: Heard) -> None:
    first, second = (LoginSession.objects.create(user=alice) for _ in range(2))
    with transaction.atomic():
        sessions.end_sessions(LoginSession.objects.filter(pk=first.pk), "logged_out")
    assert heard() == [str(alice.pk)]
    first.delete()
    assert heard() == []
    second.delete()
    assert heard() == [str(alice.pk)]


def test_logging_out_everywhere_is_told_once(alice: User, heard: Heard) -> None:
    for _ in range(3):
        LoginSession.objects.create(user=alice)
    actions.log_out_everywhere(alice)
    assert heard() == [str(alice.pk)]


def test_an_enrolment_begins_lengthens_shortens_and_ends(
    alice: User, lathe: Published, enrol: Callable[..., Any], heard: Heard
) -> None:
    now = timezone.now()
    enrolment = enrol(alice, lathe.course, valid_until=now + timedelta(days=9))

    def change(**fields: Any) -> list[str]:
        type(enrolment).objects.filter(pk=enrolment.pk).update(**fields)
        return heard()

    assert heard() == []
    assert change(valid_until=now + timedelta(days=10)) == []
    assert change(valid_until=None) == []
    assert change(valid_until=now + timedelta(days=20)) == [str(alice.pk)]
    assert change(valid_until=now + timedelta(days=5)) == [str(alice.pk)]
    assert change(ended_at=now, end_reason="refund") == [str(alice.pk)]
    assert change(end_reason="refunded") == []
    assert change(ended_at=None) == []
    enrolment.delete()
    assert heard() == [str(alice.pk)]


def test_a_purchase_tells_nobody(alice: User, lathe: Published, heard: Heard) -> None:
    books.give(alice, lathe.course.price)
    assert books.buy(Api().as_(alice), lathe.course.slug).status_code == 201
    assert heard() == []


def test_a_preview_closes(lathe: Published, heard: Heard) -> None:
    lesson = lathe.lesson
    lesson.is_preview = True
    lesson.save()
    assert heard() == []
    lesson.is_preview = False
    lesson.save()
    assert heard() == EVERYBODY
    lathe.course.status = "withdrawn"
    lathe.course.save()
    assert heard() == EVERYBODY
    lathe.course.status = "published"
    lathe.course.save()
    assert heard() == []


def test_a_file_of_a_lesson_comes_and_goes(lathe: Published, heard: Heard) -> None:
    kept = {"content_type": "text/plain", "size_bytes": 1, "sha256": "0" * 64, "path": "attachments/0/0"}
    attachment = lathe.lesson.attachments.create(name="notes.txt", **kept)
    assert heard() == []
    attachment.delete()
    assert heard() == EVERYBODY


def test_a_lesson_opens_later_than_it_did(lathe: Published, heard: Heard) -> None:
    now = timezone.now()

    def change(**fields: Any) -> list[str]:
        type(lathe.lesson).objects.filter(pk=lathe.lesson.pk).update(**fields)
        return heard()

    assert change(opens_on=now) == EVERYBODY
    assert change(opens_on=now - timedelta(days=1)) == []
    assert change(opens_on=now + timedelta(days=1)) == EVERYBODY
    assert change(opens_on=None, opens_after_days=3) == EVERYBODY
    assert change(opens_after_days=2) == []
    assert change(opens_after_days=None, title="Safety first") == []


def test_a_lesson_goes(lathe: Published, heard: Heard) -> None:
    from media.models import Package, VideoAsset

    Package.objects.all().delete()
    VideoAsset.objects.all().delete()
    lathe.lesson.delete()
    assert heard() == EVERYBODY


def test_what_an_agent_answers_changes(agnes: User, heard: Heard) -> None:
    from support.models import Agent, Category, Skill

    agent = Agent.objects.create(user=agnes)
    lathes, saws = (Category.objects.create(slug=slug, name=slug) for slug in ("lathes", "saws"))
    assert heard() == []
    skill = Skill.objects.create(agent=agent, category=lathes)
    assert heard() == [str(agnes.pk)]  # tickets that wait may be theirs now
    Agent.objects.filter(pk=agent.pk).update(capacity=9)
    assert heard() == [str(agnes.pk)]
    Agent.objects.filter(pk=agent.pk).update(capacity=9)
    assert heard() == []
    Skill.objects.filter(pk=skill.pk).update(category=saws)
    assert heard() == [str(agnes.pk)]
    skill.delete()
    assert heard() == [str(agnes.pk)]
    agent.delete()
    assert heard() == [str(agnes.pk)]


def test_what_is_rolled_back_is_not_told(alice: User, heard: Heard) -> None:
    with transaction.atomic():
        actions.deactivate(alice)
        transaction.set_rollback(True)
    assert heard() == []
