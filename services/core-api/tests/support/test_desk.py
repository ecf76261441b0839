"""The support desk's page in the admin site, and what it tells an agent of a learner."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from approvals.models import Approval
from learning.models import LessonProgress
from privacy.erasing import erase
from support.models import Agent, Category, Skill
from tests import books, environment
from tests.admin_pages import permit
from tests.conftest import Api
from tests.factories import grant, lessons_of, make_course

DESK = "/admin/support/"
PARTS = Path(__file__).resolve().parents[2] / "support"
TICKET = """
CREATE TABLE IF NOT EXISTS chat_published.ticket (
    ticket_id uuid, learner_id uuid, category_id uuid, lesson_id uuid, order_id uuid);
GRANT SELECT ON chat_published.ticket TO lectern_core;
"""


def at_the_desk(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def arne(make_person: Any) -> User:
    """An agent who answers what is asked about billing."""
    arne: User = make_person("arne", "support_agent", is_staff=True)
    Skill.objects.create(agent=Agent.objects.create(user=arne), category=Category.objects.get(slug="billing"))
    return arne


def test_agents_find_it_on_every_page(arne: User) -> None:
    client = at_the_desk(arne)
    assert f'<a href="{DESK}">Support desk</a>' in client.get("/admin/").content.decode()
    page = client.get(DESK)
    assert page.status_code == 200
    text = page.content.decode()
    assert '<script src="/static/support/desk/desk.js" type="module"></script>' in text
    assert f'data-user="{arne.pk}"' in text
    assert "/admin/support/category/" not in text  # which they may not change


def test_who_leads_the_desk_finds_its_settings_there(make_person: Any) -> None:
    lea = at_the_desk(make_person("lea", "support_lead", is_staff=True))
    assert '<a href="/admin/support/category/">Categories</a>' in lea.get(DESK).content.decode()


@pytest.mark.usefixtures("database")
def test_it_is_for_agents(fiona: User, make_person: Any, agnes: User) -> None:
    assert at_the_desk(fiona).get(DESK).status_code == 404
    assert "Support desk" not in at_the_desk(fiona).get("/admin/").content.decode()
    keeper = permit(make_person("kim", is_staff=True), "support.view_category")
    assert "Categories" in at_the_desk(keeper).get(DESK).content.decode()  # the settings, as with every app
    for who in (Client(), at_the_desk(agnes)):  # an agent who is no staff
        assert who.get(DESK).status_code == 302
    panel = f"{DESK}tickets/{uuid.uuid4()}/learner/"
    assert [at_the_desk(who).get(panel).status_code for who in (fiona, keeper)] == [403, 403]


def test_every_part_that_the_scripts_name_is_on_the_page() -> None:
    page = (PARTS / "templates/support/desk.html").read_text()
    scripts = "".join(script.read_text() for script in (PARTS / "static/support/desk").glob("*.js"))
    named = set(re.findall(r'byId\("([^"]+)"\)', scripts))
    assert len(named) > 20
    assert [name for name in sorted(named) if f'id="{name}"' not in page] == []


@pytest.fixture
def ask(committed_db: str, alice: User) -> Iterator[Callable[..., uuid.UUID]]:
    """`ask("billing", lesson_id=…)`: a ticket of Alice's, as chat-gateway publishes it."""
    with psycopg.connect(environment.database_address(None, committed_db), autocommit=True) as chat:
        chat.execute(TICKET)

        def make(category: str, **about: Any) -> uuid.UUID:
            values = {"learner_id": alice.pk, "lesson_id": None, "order_id": None} | about
            values |= {"ticket_id": uuid.uuid4(), "category_id": Category.objects.get(slug=category).pk}
            columns, places = ", ".join(values), ", ".join(f"%({name})s" for name in values)
            chat.execute(f"INSERT INTO chat_published.ticket ({columns}) VALUES ({places})", values)
            number: uuid.UUID = values["ticket_id"]
            return number

        yield make


def beside(agent: User, ticket: uuid.UUID) -> str:
    answer = at_the_desk(agent).get(f"{DESK}tickets/{ticket}/learner/")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


@pytest.mark.postgres
def test_an_agent_sees_what_the_learner_studies_and_bought(
    ask: Callable[..., uuid.UUID], arne: User, alice: User, agnes: User
) -> None:
    lathe = make_course("lathe", lessons=4)
    first = lessons_of(lathe)[0]
    books.give(alice, 100)
    order = books.buy(Api().as_(alice), "lathe").json()
    LessonProgress.objects.create(user=alice, lesson=first, position_at="2026-01-01T00:00:00Z", position_ms=61_000)
    ticket = ask("billing", lesson_id=first.pk, order_id=order["id"])
    Approval.objects.create(
        kind="refund", person=alice, proposed_by=agnes, order_id=order["id"], amount=40, ticket_id=ticket, reason="Sad"
    )
    page = beside(arne, ticket)
    for told in ("Alice", "Lesson 1", "61 s", "0 of 4 lessons", "asks about this one", "Refund of 40 credits: pending"):
        assert told in page, told
    assert f'data-propose="{order["lines"][0]["id"]}"' in page
    assert "<dt>Credit</dt><dd>60</dd>" in page
    assert alice.email not in page
    assert "/admin/accounts/" not in page


@pytest.mark.postgres
def test_what_the_agent_may_not_know_is_left_out(ask: Callable[..., uuid.UUID], arne: User, alice: User) -> None:
    ticket = ask("billing")
    arne.groups.clear()
    permit(arne, "support.answer")
    assert "Credit" not in (page := beside(arne, ticket))
    assert "Orders" not in page
    assert "Courses" in page
    permit(arne, "accounts.view_user")
    assert alice.email in beside(arne, ticket)


@pytest.mark.postgres
def test_learners_of_others_tickets_are_not_to_be_looked_up(ask: Callable[..., uuid.UUID], arne: User) -> None:
    for ticket in (ask("other"), uuid.uuid4()):
        assert at_the_desk(arne).get(f"{DESK}tickets/{ticket}/learner/").status_code == 404


def test_without_chat_gateway_there_are_none(arne: User) -> None:
    assert at_the_desk(arne).get(f"{DESK}tickets/{uuid.uuid4()}/learner/").status_code == 404


@pytest.mark.postgres
def test_many_courses_take_no_more_queries_than_one(ask: Callable[..., uuid.UUID], arne: User, alice: User) -> None:
    client, page = at_the_desk(arne), f"{DESK}tickets/{ask('billing')}/learner/"
    books.give(alice, 500)
    counts = []
    for slugs in (["one"], ["two", "three", "four"]):
        for slug in slugs:
            make_course(slug)
            assert books.buy(Api().as_(alice), slug).status_code == 201
        with CaptureQueriesContext(connection) as queries:
            assert client.get(page).content.decode().count("Propose…") == len(slugs) + (len(slugs) > 1)
        counts.append(len(queries))
    assert counts[0] == counts[1] < 20


@pytest.mark.postgres
def test_of_an_erased_person_nothing_is_told(ask: Callable[..., uuid.UUID], arne: User, alice: User) -> None:
    grant(alice, make_course("lathe"))
    ticket = ask("billing")
    erase(alice, alice, forfeit_credit=False)
    assert "has been erased" in (page := beside(arne, ticket))
    assert "Lathe" not in page


@pytest.mark.postgres
def test_a_name_is_text_and_nothing_else(ask: Callable[..., uuid.UUID], arne: User, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(name="<img src=x onerror=alert(1)>")
    assert "<img" not in beside(arne, ask("billing"))
