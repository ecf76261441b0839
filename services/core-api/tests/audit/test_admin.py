"""The audit log as admins read it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from audit.actions import record
from audit.kinds import Kind
from audit.models import Event
from audit.sentences import tell
from tests.factories import make_course

LOG = "/admin/audit/event/"


@pytest.fixture
def site(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


def shown(site: Client, **query: Any) -> list[str]:
    return [event.told.summary for event in site.get(LOG, query).context["cl"].result_list]


def test_it_says_who_did_what_to_whom(site: Client, root: User, fiona: User, alice: User) -> None:
    record(Kind.WALLET_ADJUSTED, actor=fiona, subject=alice, credits=-50, reason="A mistake")
    record(Kind.LOGIN_FAILED, actor=None, subject=alice)
    record(Kind.ADMIN_CHANGED, actor=root, subject=make_course(), fields=["Title"])
    record(Kind.PASSWORD_CHANGED, actor=alice, subject=alice)
    record(Kind.KEY_ROTATED, actor=None)
    assert shown(site) == [
        "The system rotated the signing key",
        "alice changed their own password",
        "root changed the course “Baking”",
        "A login as alice failed",
        "fiona adjusted alice's wallet by -50",
    ]
    page = site.get(LOG).content.decode()
    assert "A mistake" in page
    assert f'<a href="/admin/accounts/user/{alice.pk}/change/">alice</a>' in page


def test_names_are_one_query_however_many_there_are(site: Client, root: User, make_person: Any) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            site.get(LOG)
        return len(captured)

    record(Kind.LOGIN, actor=root, subject=root)
    few = queries()
    for number in range(5):
        person = make_person(f"person{number}")
        record(Kind.ADMIN_CHANGED, actor=person, subject=make_course(f"course-{number}"))
        record(Kind.LOGIN, actor=person, subject=person)
    assert queries() == few


def test_people_are_found_by_name_and_everything_by_its_id(site: Client, fiona: User, alice: User, bob: User) -> None:
    event = record(Kind.WALLET_ADJUSTED, actor=fiona, subject=alice, credits=5)
    record(Kind.LOGIN, actor=bob, subject=bob)
    sentence = "fiona adjusted alice's wallet by 5"
    for term in ("alice", "ALICE@example.org", "fiona", str(alice.pk), str(fiona.pk), str(event.pk)):
        assert shown(site, q=term) == [sentence], term
    assert shown(site, q="nobody") == []
    assert shown(site, kind="wallet_adjusted") == [sentence]
    assert shown(site, actor_id=str(bob.pk)) == ["bob logged in"]
    assert shown(site, subject_type="accounts.user", subject_id=str(alice.pk)) == [sentence]


def test_what_somebody_else_records_can_be_read_too(alice: User) -> None:
    events = [record(kind, actor=alice, subject=alice) for kind in Kind]
    events += [record("made_up", actor=None), record(Kind.LOGIN_FAILED, actor=None), record("made_up", actor=alice)]
    events.append(Event(kind="login", subject_type="gone.model", subject_id="7", detail=["odd"]))
    told = tell(events)
    assert all(told[event.pk].summary for event in events)
    assert told[events[-1].pk].summary == "The system logged in"


def test_an_event_has_a_page_and_nobody_changes_it(site: Client, root: User, alice: User) -> None:
    event = record(Kind.DEACTIVATED, actor=root, subject=alice, reason="Shared her account")
    page = site.get(f"{LOG}{event.pk}/change/")
    assert "root deactivated alice" in page.content.decode()
    assert "Shared her account" in page.content.decode()
    assert site.get(f"{LOG}add/").status_code == 403
    assert site.post(f"{LOG}{event.pk}/change/", {}).status_code == 403
    assert site.post(f"{LOG}{event.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "delete_selected" not in site.get(LOG).content.decode()


def test_changes_in_the_admin_site_are_in_it_without_their_values(site: Client, root: User, alice: User) -> None:
    course = make_course()
    category = course.category
    page = f"/admin/courses/category/{category.pk}/change/"
    assert site.post(page, {"name": "A secret plan", "slug": category.slug}).status_code == 302
    assert site.post("/admin/courses/category/add/", {"name": "Wood", "slug": "wood"}).status_code == 302
    form = {
        "action": "delete_selected",
        "_selected_action": [type(category).objects.get(slug="wood").pk],
        "post": "yes",
    }
    assert site.post("/admin/courses/category/", form).status_code == 302
    kinds = [
        (event.kind, event.detail) for event in Event.objects.filter(subject_type="courses.category").order_by("id")
    ]
    assert kinds == [("admin_changed", {"fields": ["Name"]}), ("admin_added", {}), ("admin_deleted", {})]
