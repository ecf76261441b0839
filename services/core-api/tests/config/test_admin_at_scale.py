"""Every list and page of the admin site, over tables of 100,000 rows: few queries, and none that is slow."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from learning.models import Enrolment, LessonProgress
from tests import books, environment
from tests.factories import grant, make_course, make_lesson, make_package
from wallet.models import Order

pytestmark = pytest.mark.postgres

ROWS = 100_000
FEW = 5_000  # of what hangs on those
MOST_QUERIES = 12
SLOWEST = "10s"  # a statement that takes longer fails: on an idle machine all of them are far below a second
NOW_MS = int(time.time() * 1000)
# The id of row n, as config.ids makes them: 26 seconds older than the row before, and the same in every table.
UUID7 = f"(lpad(to_hex({NOW_MS} - n * 26000::bigint), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid"


def multiply(model: Any, template: Any, rows: int = ROWS, **columns: str) -> str:
    """SQL that makes copies of a row, with other values (in terms of n) in some columns."""
    names = [field.column for field in model._meta.concrete_fields]
    values = ", ".join(columns.get(name, f't."{name}"') for name in names)
    quoted = ", ".join(f'"{name}"' for name in names)
    table = model._meta.db_table
    copies = f"generate_series(1, {rows}) n WHERE t.\"{model._meta.pk.column}\" = '{template.pk}'"
    return f'INSERT INTO core."{table}" ({quoted}) SELECT {values} FROM core."{table}" t, {copies}'


@pytest.fixture
def crowded(committed_db: str, api: Any, alice: Any, root: Any) -> None:
    from accounts.models import LoginSession
    from audit.actions import record
    from audit.models import Event
    from learning.certificates import do_issue
    from learning.models import Certificate, CourseProgress, Review
    from learning.reviews import do_review
    from mail.actions import do_queue
    from mail.models import Mail
    from support.models import Agent, Category, Skill
    from wallet.models import Account, OrderLine, Posting, Wallet

    course = make_course(instructor=alice)
    make_package(make_lesson(course.sections.get(), 9, kind="video"))
    books.give(alice, 1000)
    books.buy(api.as_(alice), course.slug)
    order, posting = Order.objects.get(), Posting.objects.get(kind="purchase")
    wallet = Wallet.objects.get()
    granted = grant(alice, make_course("stews"))
    certificate, review = do_issue(alice, course), do_review(alice, course, rating=4, text="Good.")
    began = {"user": alice, "position_at": granted.started_at}
    watched = LessonProgress.objects.create(lesson=course.sections.get().lessons.get(kind="video"), **began)
    studied = CourseProgress.objects.create(user=alice, course=course, allowance_ms=0, allowance_at=granted.started_at)
    Skill.objects.create(agent=Agent.objects.create(user=alice), category=Category.objects.first())
    event = record("wallet_adjusted", actor=root, subject=alice, amount=-50)
    mail = do_queue("verify_email", alice, "Your address", "A link")
    login = LoginSession.objects.create(user=alice)
    at = "now() - n * interval '26 s'"
    copies = [
        multiply(User, alice, id=UUID7, username="'user' || n", email="'u' || n || '@example.org'", date_joined=at),
        multiply(Order, order, id=UUID7, user_id=UUID7, created_at=at),
        multiply(
            Posting, posting, id=UUID7, order_id=UUID7, wallet_seq="n + 1000", created_at=at, order_line_id="NULL"
        ),
        multiply(Event, event, FEW, id=UUID7, at=at, actor_id=UUID7),
        multiply(OrderLine, order.lines.get(), FEW, id=UUID7, order_id=UUID7),
        multiply(Account, wallet.account, FEW, id=UUID7, code="'wallet:' || n"),
        multiply(Wallet, wallet, FEW, account_id=UUID7, user_id=UUID7),
        multiply(Enrolment, granted, FEW, id=UUID7, user_id=UUID7),
        multiply(Certificate, certificate, FEW, id=UUID7, user_id=UUID7, code="'c' || n"),
        multiply(Review, review, FEW, id=UUID7, user_id=UUID7),
        multiply(CourseProgress, studied, id="n + 1000", user_id=UUID7),
        multiply(LessonProgress, watched, id="n + 1000", user_id=UUID7),
        multiply(Mail, mail, FEW, id=UUID7, user_id=UUID7, created_at=at),
        multiply(LoginSession, login, FEW, id=UUID7),
    ]
    with psycopg.connect(environment.database_address(None, committed_db), autocommit=True) as superuser:
        superuser.execute("SET session_replication_role = replica")  # no triggers, no foreign keys: made in seconds
        superuser.execute("SET synchronous_commit = off")
        for statement in copies:
            superuser.execute(statement)
        superuser.execute("ANALYZE")


def test_every_list_and_page_asks_little_of_the_database(crowded: None, root: Any) -> None:
    client = Client()
    client.force_login(root)
    client.get("/admin/")  # what is cached on first use is cached now
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = '{SLOWEST}'")
    seen: dict[str, int] = {"/admin/": queries(client, "/admin/")}
    for model, model_admin in admin.site._registry.items():
        if not model._meta.managed:
            continue  # playback sessions: tests/published
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        pages = [path]
        if model_admin.search_fields or model_admin.search_people:
            pages.append(f"{path}?q=alice")
        newest = model._base_manager.order_by("-pk").first()
        if newest is not None:
            pages.append(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[newest.pk]))
        seen |= {page: queries(client, page) for page in pages}
    assert len(seen) > 40, "the walk missed most of the site"
    assert {page: count for page, count in seen.items() if count > MOST_QUERIES} == {}
    for model in (User, Order, Enrolment, LessonProgress):  # searched by a name that one of 100,000 people has
        plan = found_by(model, "user77777")
        assert "user_words" in plan, plan
        assert "Seq Scan on accounts_user" not in plan, plan


def found_by(model: Any, name: str) -> str:
    """How the database finds the rows of a list for what is typed into its search box."""
    request = RequestFactory().get("/")
    found, _ = admin.site._registry[model].get_search_results(request, model._base_manager.all(), name)
    plan: str = found.explain(analyze=True)
    return plan


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return len(captured)
