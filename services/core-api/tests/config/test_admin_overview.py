"""The admin site's first page, and what each role sees of the site."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from django.test import Client

from accounts.models import User
from config.charts import HEIGHT, Chart, Series
from tests import books, environment
from tests.conftest import Api
from tests.factories import make_course

VIEWS = """
CREATE VIEW stream_published.playback_session AS SELECT now() AS started_at, NULL::timestamptz AS ended_at,
    gen_random_uuid() AS playback_id, NULL::uuid AS user_id FROM generate_series(1, 3);
CREATE VIEW chat_published.ticket_count AS SELECT * FROM (VALUES ('queued', 2), ('open', 5), ('closed', 90)) t (state, tickets);
"""
GRANTS = """
GRANT SELECT ON stream_published.playback_session TO lectern_core;
GRANT SELECT ON chat_published.ticket_count TO lectern_core;
"""


def overview(user: User) -> Any:
    client = Client()
    client.force_login(user)
    return client.get("/admin/").context["dashboard"]


def figures(user: User) -> dict[str, int | None]:
    return {figure.label: figure.value for figure in overview(user).figures}


def test_sales_are_counted_day_by_day(api: Api, alice: User, bob: User, fiona: User) -> None:
    for person, slug in ((alice, "baking"), (bob, "stews")):
        make_course(slug)
        books.give(person, 100)
        bought = books.buy(api.as_(person), slug).json()
    refund = {"reason": "It was not for them"}
    answer = api.as_(fiona).post(
        f"/api/v1/orders/{bought['id']}/refund/", refund, headers={"Idempotency-Key": books.new_key()}
    )
    assert answer.status_code == 200, answer.json()
    sold, refunded = overview(fiona).charts[0].series
    assert (sold.total, sold.values[-1]) == (80, 80)
    assert (refunded.total, refunded.values[-1]) == (40, 40)


def test_the_picture_is_also_a_table_and_a_sentence(root: User, alice: User, client: Client) -> None:
    client.force_login(root)
    page = client.get("/admin/").content.decode()
    today = overview(root).charts[0].days[-1]
    assert f'<th scope="row">{today}</th>' in page
    assert "New learners, " in page
    assert 'role="img"' in page
    assert " style=" not in page
    assert "<script>" not in page


@pytest.mark.postgres
def test_figures_of_the_other_services(committed_db: str, root: User) -> None:
    assert figures(root)["Playing now"] is None
    assert figures(root)["Open tickets"] is None
    with psycopg.connect(environment.database_address(None, committed_db)) as connection:
        connection.execute(VIEWS)
    assert figures(root)["Playing now"] is None  # a view that we may not read yet
    with psycopg.connect(environment.database_address(None, committed_db)) as connection:
        connection.execute(GRANTS)
    assert (figures(root)["Playing now"], figures(root)["Open tickets"]) == (3, 7)


def test_bars_never_leave_the_picture() -> None:
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(3)]
    chart = Chart("Sales", days, [Series("sold", [10, 0, 5]), Series("refunded", [0, 30, 0])])
    assert chart.highest == 30
    assert all(bar.y >= 0 and bar.y + bar.height <= HEIGHT + 0.1 for bar in chart.bars)
    assert [(bar.series, bar.height) for bar in chart.bars] == [(1, 40.0), (1, 20.0), (2, 120.0)]
    nothing = Chart("Sales", days, [Series("sold", [0, 0, 0])])
    assert (nothing.bars, nothing.highest) == ([], 0)


ROLES = {
    "finance": {"wallet", "payments"},
    "support_lead": {"support"},
    "course_manager": {"courses", "media"},
    "instructor": {"courses"},
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_finds_its_work_and_opens_all_of_it(make_person: Any, role: str) -> None:
    person = make_person("sam", role, is_staff=True)
    client = Client()
    client.force_login(person)
    apps = {app["app_label"]: app["models"] for app in client.get("/admin/").context["app_list"]}
    assert ROLES[role] <= apps.keys()
    assert not apps.keys() & {"accounts", "auth", "audit", "mail"}
    for models in apps.values():
        for model in models:
            answer = client.get(model["admin_url"], follow=True)  # stream-gateway's are not here: then it says so
            assert answer.status_code == 200, model["name"]
            assert answer.redirect_chain in ([], [("/admin/", 302)]), model["name"]


def test_an_overview_shows_what_the_viewer_may_see(make_person: Any, fiona: User) -> None:
    assert [chart.title for chart in overview(fiona).charts] == ["Credits sold and refunded"]
    of_finance = {"Waiting for your approval": 0, "Differences in the books": None, "Payments in quarantine": 0}
    assert figures(fiona) == of_finance
    assert figures(make_person("lea", "support_lead", is_staff=True)).keys() == {"Open tickets"}
    assert figures(make_person("cora", "course_manager", is_staff=True)).keys() == {"Packagings running"}


def test_instructors_work_on_their_own_courses_alone(ines: User, client: Client) -> None:
    mine, other = make_course("mine", instructor=ines), make_course("other")
    client.force_login(ines)
    for page, own, foreign in (
        ("courses/course", mine, other),
        ("courses/section", mine.sections.get(), other.sections.get()),
        ("courses/lesson", mine.sections.get().lessons.first(), other.sections.get().lessons.first()),
    ):
        listed = {row.pk for row in client.get(f"/admin/{page}/").context["cl"].result_list}
        assert own.pk in listed
        assert foreign.pk not in listed
        assert client.get(f"/admin/{page}/{own.pk}/change/").status_code == 200
        assert client.get(f"/admin/{page}/{foreign.pk}/change/").status_code == 302
    section = mine.sections.get()
    lessons = {f"lessons-{name}": 0 for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    moved = {"title": "Stolen", "position": 1, "course": str(other.pk)} | lessons
    client.post(f"/admin/courses/section/{section.pk}/change/", moved)
    section.refresh_from_db()
    assert section.course == mine
    form = client.get(f"/admin/courses/course/{mine.pk}/change/").content.decode()
    assert 'name="instructors"' not in form
    assert 'name="sections-0-title"' in form


def test_instructors_begin_a_course_here_and_fill_it(ines: User, client: Client) -> None:
    other = make_course("other")
    client.force_login(ines)
    rows = {f"{which}-{name}": 0 for which in ("sections", "lessons") for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    course = {"title": "Rye", "slug": "rye", "price": 3, "level": "beginner", "language": "en"} | rows
    answer = client.post("/admin/courses/course/add/", course | {"_continue": ""}, follow=True)
    mine = ines.courses_taught.get()
    assert (mine.slug, mine.status) == ("rye", "draft")
    assert answer.redirect_chain == [(f"/admin/courses/course/{mine.pk}/change/", 302)]
    section = {"title": "Flour", "position": 1} | rows
    assert client.post("/admin/courses/section/add/", section | {"course": str(mine.pk)}).status_code == 302
    lesson = {"title": "Mill", "position": 1, "kind": "article", "section": str(mine.sections.get().pk)}
    assert client.post("/admin/courses/lesson/add/", lesson).status_code == 302
    assert [each.title for each in mine.sections.get().lessons.all()] == ["Mill"]
    # and nobody else's
    foreign = other.sections.get()
    before = (other.sections.count(), foreign.lessons.count())
    assert client.post("/admin/courses/section/add/", section | {"course": str(other.pk)}).status_code == 200
    assert client.post("/admin/courses/lesson/add/", lesson | {"section": str(foreign.pk)}).status_code == 200
    assert (other.sections.count(), foreign.lessons.count()) == before
