"""What the gateways read is what deploy/contracts.md promises them."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts import actions, sessions
from accounts.models import LoginSession, User
from tests import environment
from tests.published.conftest import Published

pytestmark = pytest.mark.postgres

CONTRACTS = (environment.REPOSITORY / "deploy" / "contracts.md").read_text(encoding="utf-8")
SHORT = {"boolean": "bool", "integer": "int", "timestamp with time zone": "timestamptz"}


def documented() -> dict[str, list[tuple[str, str]]]:
    section = CONTRACTS.split("### `published`")[1].split("\n### ")[0]
    return {
        view: [tuple(column.strip().split(" ", 1)) for column in re.sub(r"\([^)]*\)", "", columns).split(",")]
        for view, columns in re.findall(r"^\| `(\w+)` \| `(.+?)`", section, re.MULTILINE)
    }


def rows(view: str, where: str = "true", *arguments: Any) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:  # the runtime role of core may not read them: the superuser's word for it
        cursor.execute("SELECT current_database()")
        name = cursor.fetchone()[0]
    address = environment.database_address("chat", name)
    with closing(psycopg.connect(address, row_factory=psycopg.rows.dict_row)) as reader:
        query = f'SELECT * FROM published."{view}" WHERE {where}'
        return reader.execute(query, arguments).fetchall()


def test_every_view_has_the_documented_columns(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_class c"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
            " WHERE c.relnamespace = 'published'::regnamespace ORDER BY c.relname, a.attnum"
        )
        found: dict[str, list[tuple[str, str]]] = {}
        for view, column, kind in cursor.fetchall():
            found.setdefault(view, []).append((column, SHORT.get(kind, kind)))
    assert len(found) == 13
    assert found == documented()


@pytest.mark.parametrize("reader", ["stream", "chat"])
def test_a_gateway_reads_the_views_and_nothing_else(db: None, reader: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n.nspname, c.relname, p FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,"
            " unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p"
            " WHERE c.relkind IN ('r', 'v', 'm', 'p') AND n.nspname IN ('core', 'published')"
            " AND has_table_privilege(%s, c.oid, p)",
            [f"lectern_{reader}"],
        )
        assert set(cursor.fetchall()) == {("published", view, "SELECT") for view in documented()}
        cursor.execute("SELECT has_schema_privilege(%s, 'core', 'USAGE')", [f"lectern_{reader}"])
        assert cursor.fetchone() == (False,)


def test_principal_says_what_alice_is(committed_db: str, alice: User, agnes: User, root: User, make_person) -> None:
    carol = make_person("carol", is_active=False, is_superuser=True)
    people = {row["username"]: row for row in rows("principal")}
    assert people["alice"] == {
        "user_id": alice.pk,
        "username": "alice",
        "name": "Alice",
        "is_active": True,
        "generation": 0,
        "roles": ["learner"],
        "permissions": [],
        "erased_at": None,
    }
    assert people["agnes"]["roles"] == ["learner", "support_agent"]
    assert people["carol"]["is_active"] is False
    for user in (agnes, root, carol):
        assert people[user.username]["roles"] == user.role_names()
        assert people[user.username]["permissions"] == sorted(user.get_all_permissions())
    assert "payments.refund" in people["root"]["permissions"]


def test_what_learners_may_stands_in_everybodys_row(committed_db: str, alice: User) -> None:
    from django.contrib.auth.models import Group, Permission

    Group.objects.get(name="learner").permissions.add(Permission.objects.get(codename="watch_any"))
    alice.user_permissions.add(Permission.objects.get(codename="lead"))
    (row,) = rows("principal")
    assert row["permissions"] == ["media.watch_any", "support.lead"] == sorted(alice.get_all_permissions())


def test_ended_sessions_are_told_for_a_day(committed_db: str, alice: User) -> None:
    running, ended, old = (LoginSession.objects.create(user=alice) for _ in range(3))
    with transaction.atomic():
        sessions.end_sessions(LoginSession.objects.filter(pk__in=[ended.pk, old.pk]), "logged_out")
    LoginSession.objects.filter(pk=old.pk).update(ended_at=timezone.now() - timedelta(hours=25))
    assert [(row["session_id"], row["user_id"]) for row in rows("ended_session")] == [(ended.pk, alice.pk)]
    assert running.ended_at is None


def test_a_lesson_its_package_and_its_captions(committed_db: str, lathe: Published) -> None:
    from media.models import VideoAsset

    VideoAsset.objects.create(lesson=lathe.lesson, source="up/2", status="processing")  # a replacement on its way
    (lesson,) = rows("lesson")
    assert lesson == {
        "lesson_id": lathe.lesson.pk,
        "course_id": lathe.course.pk,
        "course_slug": "lathe",
        "course_title": "The lathe",
        "title": "Safety",
        "kind": "video",
        "is_preview": False,
        "is_published": True,
        "video_status": "ready",
        "package_id": lathe.package.pk,
        "duration_s": 12.5,
    }
    (package,) = rows("package")
    assert (package["package_id"], package["lesson_id"], package["path"]) == (
        lathe.package.pk,
        lathe.lesson.pk,
        "packages/a/b",
    )
    (caption,) = rows("caption")
    assert (caption["language"], caption["label"], caption["path"]) == ("de", "Deutsch", "captions/x.vtt")


@pytest.mark.parametrize("status", ["none", "queued", "processing", "failed"])
def test_a_lesson_without_a_package_says_how_far_it_is(committed_db: str, lathe: Published, status: str) -> None:
    from media.models import Package, VideoAsset

    Package.objects.all().delete()
    VideoAsset.objects.all().delete()
    if status != "none":
        VideoAsset.objects.create(lesson=lathe.lesson, source="up/1", status="failed")
        VideoAsset.objects.create(lesson=lathe.lesson, source="up/2", status=status)
    (lesson,) = rows("lesson")
    assert (lesson["video_status"], lesson["package_id"]) == (status, None)


def test_access_lasts_as_long_as_its_longest_reason(
    committed_db: str, alice: User, bob: User, lathe: Published, enrol: Callable[..., Any]
) -> None:
    now = timezone.now()
    enrol(alice, lathe.course, valid_until=now + timedelta(days=1))
    enrol(alice, lathe.course, valid_until=now + timedelta(days=9))
    enrol(alice, lathe.course, valid_until=now - timedelta(days=1))
    (access,) = rows("lesson_access", "user_id = %s AND lesson_id = %s", alice.pk, lathe.lesson.pk)
    assert (access["package_id"], access["valid_until"]) == (lathe.package.pk, now + timedelta(days=9))
    endless = enrol(alice, lathe.course)
    assert [row["valid_until"] for row in rows("lesson_access")] == [None]
    endless.ended_at = now
    endless.save()
    assert [row["valid_until"] for row in rows("lesson_access")] == [now + timedelta(days=9)]
    enrol(bob, lathe.course, ended_at=now)
    assert rows("lesson_access", "user_id = %s", bob.pk) == []


def test_access_begins_when_the_lesson_opens(
    committed_db: str, alice: User, bob: User, lathe: Published, enrol: Callable[..., Any]
) -> None:
    now = timezone.now()
    enrol(alice, lathe.course, started_at=now - timedelta(days=3))
    enrol(bob, lathe.course, started_at=now - timedelta(days=1))
    enrol(bob, lathe.course, started_at=now - timedelta(days=5), valid_until=now + timedelta(hours=1))

    def have_it(**opening: Any) -> set[str]:
        type(lathe.lesson).objects.filter(pk=lathe.lesson.pk).update(**opening)
        return {person.username for person in (alice, bob) if rows("lesson_access", "user_id = %s", person.pk)}

    assert have_it(opens_on=now + timedelta(minutes=1)) == set()
    assert have_it(opens_on=now) == {"alice", "bob"}
    assert have_it(opens_on=None, opens_after_days=4) == {"bob"}
    assert [row["valid_until"] for row in rows("lesson_access")] == [now + timedelta(hours=1)]
    assert have_it(opens_after_days=3) == {"alice", "bob"}
    assert have_it(opens_after_days=6) == set()


def test_before_that_it_says_when(
    committed_db: str, alice: User, bob: User, lathe: Published, enrol: Callable[..., Any]
) -> None:
    now = timezone.now()
    enrol(alice, lathe.course, started_at=now - timedelta(days=3))
    enrol(alice, lathe.course, started_at=now - timedelta(days=9), ended_at=now)
    enrol(alice, lathe.course, started_at=now - timedelta(days=9), valid_until=now)
    enrol(bob, lathe.course, started_at=now - timedelta(days=1))
    enrol(bob, lathe.course, started_at=now - timedelta(days=5), valid_until=now + timedelta(hours=1))

    def opens(**opening: Any) -> dict[Any, Any]:
        type(lathe.lesson).objects.filter(pk=lathe.lesson.pk).update(**opening)
        return {row["user_id"]: row["opens_at"] for row in rows("lesson_opening", "lesson_id = %s", lathe.lesson.pk)}

    soon = now + timedelta(minutes=1)
    assert opens() == {}
    assert opens(opens_on=soon) == {alice.pk: soon, bob.pk: soon}
    assert opens(opens_on=now) == {}
    assert opens(opens_on=None, opens_after_days=4) == {alice.pk: now + timedelta(days=1)}
    assert opens(opens_after_days=6) == {alice.pk: now + timedelta(days=3), bob.pk: now + timedelta(days=1)}


def test_orders_and_the_support_desk(committed_db: str, alice: User, agnes: User, bob: User) -> None:
    from support.models import Agent, CannedAnswer, Category, Skill
    from wallet.models import Order

    order = Order.objects.create(user=alice, price=10)
    assert [(row["order_id"], row["user_id"]) for row in rows("order")] == [(order.pk, alice.pk)]
    category = Category.objects.create(slug="lathes", name="Lathes", position=2)
    (offered,) = rows("support_category", "slug = 'lathes'")
    assert tuple(offered.values()) == (category.pk, "lathes", "Lathes", 2, True, 1)
    greeting = CannedAnswer.objects.create(shortcut="hello", title="Greeting", text="Hello!")
    assert [tuple(row.values()) for row in rows("canned_answer")] == [
        (greeting.pk, None, "hello", "Greeting", "Hello!")
    ]
    for person in (agnes, bob):  # bob has the skill, but not the permission
        Skill.objects.create(agent=Agent.objects.create(user=person, capacity=4), category=category, weight=2)
    assert [tuple(row.values()) for row in rows("support_agent")] == [(agnes.pk, category.pk, 2, 4)]
    actions.deactivate(agnes)
    assert rows("support_agent") == []
