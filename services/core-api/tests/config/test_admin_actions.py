"""What staff do in the admin site to people, their courses and their credit: once, with a reason, and on record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from audit.models import Event
from learning.errors import AlreadyEnrolled, EnrolmentOver, NotLonger
from learning.grants import do_extend, do_grant, do_revoke
from learning.models import Enrolment
from tests import books
from tests.admin_pages import act, ask, permit
from tests.conftest import Api
from tests.factories import grant, make_course
from wallet.models import Posting

USERS = "/admin/accounts/user/"
ENROLMENTS = "/admin/learning/enrolment/"
WALLETS = "/admin/wallet/wallet/"


@pytest.fixture
def site(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


def events(kind: str) -> list[tuple[Any, str, dict[str, Any]]]:
    return [(event.actor_id, event.subject_id, event.detail) for event in Event.objects.filter(kind=kind)]


def test_the_page_names_what_will_happen_to_whom_before_it_does(site: Client, alice: User, bob: User) -> None:
    page = ask(site, USERS, "deactivate", alice, bob)
    text = page.content.decode()
    assert "alice (Alice, alice@example.org)" in text
    assert "bob (Bob, bob@example.org)" in text
    assert "nobody can log in as them" in text
    alice.refresh_from_db()
    assert alice.is_active
    assert act(site, USERS, "deactivate", alice, reason="") == ["reason: This field is required."]


def test_more_people_than_somebody_reads_are_not_touched_at_once(site: Client, make_person: Any) -> None:
    crowd = User.objects.bulk_create(User(username=f"u{n}", email=f"u{n}@example.org") for n in range(101))
    page = ask(site, USERS, "deactivate", *crowd)
    assert "Choose at most 100 at once." in page.content.decode()
    assert User.objects.filter(is_active=False).count() == 0


def test_who_chooses_everybody_does_not_lock_themselves_out(site: Client, root: User, alice: User) -> None:
    told = act(site, USERS, "deactivate", root, alice, reason="All at once")
    assert "alice is deactivated." in told
    assert any("Have another admin do it" in sentence for sentence in told)
    root.refresh_from_db()
    assert root.is_active


def test_somebody_is_deactivated_and_reactivated(site: Client, root: User, alice: User) -> None:
    told = act(site, USERS, "deactivate", alice, reason="Shared her account", times=2)
    assert told[-1] == "alice was deactivated already."
    assert act(site, USERS, "activate", alice, reason="It was her sister")[-1] == "alice is active again."
    alice.refresh_from_db()
    assert alice.is_active
    assert events("deactivated") == [(root.pk, str(alice.pk), {"reason": "Shared her account"})]
    assert events("activated") == [(root.pk, str(alice.pk), {"reason": "It was her sister"})]


def test_a_course_is_granted_once_however_often_the_button_is_pressed(
    site: Client, root: User, alice: User, api: Api
) -> None:
    course = make_course()
    given = {"course": str(course.pk), "last_day": "2100-01-31", "reason": "Won a prize"}
    assert act(site, USERS, "grant_course", alice, times=2, **given)[-1] == "alice has Baking."
    enrolment = Enrolment.objects.get()
    assert (enrolment.user, enrolment.source) == (alice, "grant")
    assert enrolment.valid_until.isoformat() == "2100-02-01T00:00:00+00:00"
    [(actor, subject, detail)] = events("enrolment_granted")
    assert (actor, subject, detail["course"], detail["reason"]) == (
        root.pk,
        str(alice.pk),
        str(course.pk),
        "Won a prize",
    )
    assert [row["course"]["slug"] for row in api.as_(alice).get("/api/v1/enrolments/").json()["results"]] == ["baking"]


def test_no_grant_ends_before_it_begins(site: Client, alice: User) -> None:
    given = {"course": str(make_course().pk), "reason": "Too late"}
    for day, said in (("2020-01-01", "That day is over."), ("9999-12-31", "Leave it empty where there is no end.")):
        assert act(site, USERS, "grant_course", alice, last_day=day, **given) == [f"last_day: {said}"]


def test_a_revoked_course_is_gone_and_said_to_be(site: Client, root: User, alice: User, api: Api) -> None:
    enrolment = grant(alice, make_course())
    assert act(site, ENROLMENTS, "revoke", enrolment, reason="By mistake")[-1] == "alice in Baking: ended."
    assert act(site, ENROLMENTS, "revoke", enrolment, reason="Again")[-1] == "alice in Baking: it had ended already."
    enrolment.refresh_from_db()
    assert enrolment.end_reason == "revoked"
    assert api.as_(alice).get("/api/v1/enrolments/").json()["results"] == []
    [(actor, subject, detail)] = events("enrolment_revoked")
    assert (actor, subject, detail["reason"]) == (root.pk, str(alice.pk), "By mistake")


def test_extending_gives_time_and_never_takes_it(alice: User, root: User) -> None:
    now = timezone.now()
    enrolment = grant(alice, make_course(), valid_until=now + timedelta(days=1))
    later = now + timedelta(days=30)
    assert do_extend(enrolment.pk, root, "Was ill", later)
    assert not do_extend(enrolment.pk, root, "Was ill", later)
    with pytest.raises(NotLonger):
        do_extend(enrolment.pk, root, "A slip", now)
    assert do_extend(enrolment.pk, root, "For good", None)
    with pytest.raises(NotLonger):
        do_extend(enrolment.pk, root, "A slip", later)
    do_revoke(enrolment.pk, root, "Enough")
    with pytest.raises(EnrolmentOver):
        do_extend(enrolment.pk, root, "Back again", None)
    assert [detail["reason"] for _, _, detail in events("enrolment_extended")] == ["Was ill", "For good"]


def test_a_second_grant_does_not_hide_a_longer_wish(alice: User, root: User) -> None:
    course, soon = make_course(), timezone.now() + timedelta(days=1)
    first = do_grant(alice, course, root, "A taste", soon)
    assert do_grant(alice, course, root, "A taste", soon) == first
    with pytest.raises(AlreadyEnrolled):
        do_grant(alice, course, root, "For good", None)
    Enrolment.objects.filter(pk=first.pk).update(valid_until=timezone.now())
    again = do_grant(alice, course, root, "For good", None)
    first.refresh_from_db()
    assert (first.end_reason, again.valid_until) == ("expired", None)


@pytest.mark.postgres
def test_grants_at_once_give_one_enrolment(committed_db: str, alice: User, root: User, at_once: Any) -> None:
    course = make_course()
    given = at_once(8, lambda n: do_grant(alice, course, root, f"Click {n}").pk)
    assert len(set(given)) == 1, given
    assert Enrolment.objects.count() == 1


def test_credit_moves_once_for_each_page(site: Client, alice: User, bob: User) -> None:
    books.give(alice, 100)
    before = Posting.objects.count()
    act(site, USERS, "adjust_wallet", alice, bob, times=3, amount=25, reason="Sorry for the outage")
    assert Posting.objects.count() == before + 2
    act(site, USERS, "adjust_wallet", alice, amount=25, reason="Sorry for the outage")
    assert Posting.objects.count() == before + 3  # another page is another adjustment
    alice.wallet.refresh_from_db()
    assert alice.wallet.balance == 150
    books.assert_books_are_right()


def test_every_filter_of_enrolments_has_a_word_to_press(site: Client, alice: User) -> None:
    grant(alice, make_course())
    changelist = site.get(ENROLMENTS).context["cl"]
    words = [choice["display"] for spec in changelist.filter_specs for choice in spec.choices(changelist)]
    assert words
    assert all(words)


@pytest.mark.parametrize(("path", "action"), [(WALLETS, "adjust"), (USERS, "adjust_wallet")])
def test_whoever_adjusts_is_told_before_that_much_waits_for_somebody_else(
    site: Client, alice: User, path: str, action: str
) -> None:
    books.give(alice, 10)
    page = ask(site, path, action, alice.wallet if path == WALLETS else alice)
    assert "once somebody else has approved it" in page.context["consequence"]


def test_more_than_a_wallet_holds_is_not_taken(site: Client, alice: User) -> None:
    books.give(alice, 10)
    told = act(site, WALLETS, "adjust", alice.wallet, amount=-50, reason="A mistake")
    assert "The wallet holds 10 credits: 50 cannot be taken from it." in told[0]
    assert act(site, WALLETS, "adjust", alice.wallet, amount=0, reason="Nothing") == [
        "amount: Zero credits are no adjustment."
    ]


@pytest.mark.parametrize(
    ("path", "action"),
    [(USERS, "deactivate"), (USERS, "log_out_everywhere"), (USERS, "grant_course"), (USERS, "adjust_wallet")],
)
def test_who_may_only_look_finds_no_such_action(
    client: Client, make_person: Any, alice: User, path: str, action: str
) -> None:
    client.force_login(permit(make_person("carol", is_staff=True), "accounts.view_user"))
    page = ask(client, path, action, alice, confirmed="yes", reason="Because", amount=5)
    assert "form" not in page.context
    alice.refresh_from_db()
    assert alice.is_active
    assert not Posting.objects.exists()


def test_the_page_of_a_person_leads_to_what_belongs_to_them(site: Client, alice: User) -> None:
    page = site.get(f"{USERS}{alice.pk}/change/").content.decode()
    for wanted in (
        f"/admin/wallet/order/?user__id__exact={alice.pk}",
        f"/admin/learning/enrolment/?user__id__exact={alice.pk}",
        f"/admin/wallet/wallet/?user__id__exact={alice.pk}",
        f"/admin/audit/event/?subject_type=accounts.user&amp;subject_id={alice.pk}",
        'name="action" value="adjust_wallet"',
    ):
        assert wanted in page
    for path in ("wallet/order", "learning/enrolment", "wallet/wallet", "mail/mail", "payments/topup"):
        assert site.get(f"/admin/{path}/?user__id__exact={alice.pk}").status_code == 200


def test_a_button_on_the_page_leads_back_to_it_and_nowhere_else(site: Client, alice: User) -> None:
    page = f"{USERS}{alice.pk}/change/"
    form = {"confirmed": "yes", "once": "6d1f7d0c-7a31-4a6c-8a25-3a5f6f0c1f5e"}
    done = ask(site, USERS, "log_out_everywhere", alice, **form, back=page)
    assert done.redirect_chain == [(page, 302)]
    for elsewhere in ("https://evil.example/admin/", "//evil.example/admin/", "/api/v1/"):
        done = ask(site, USERS, "log_out_everywhere", alice, **form, back=elsewhere)
        assert done.redirect_chain == [(USERS, 302)], elsewhere
