"""Staff erase a person who asked for it by letter."""

from __future__ import annotations

from django.contrib.auth.models import Permission

from accounts.models import User
from audit.models import Event
from tests import books
from tests.accounts.test_admin_site import USERS, admin_of
from tests.admin_pages import act, ask


def test_an_admin_erases_somebody_after_a_confirmation_with_a_reason(root: User, alice: User) -> None:
    books.give(alice, 7)
    client = admin_of(root)
    assert "never comes back" in ask(client, USERS, "erase", alice).content.decode()
    assert "7 credits" in act(client, USERS, "erase", alice, reason="Asked by letter")[0]
    assert act(client, USERS, "erase", alice, times=2, reason="Asked by letter", forfeit_credit="on") == [
        f"{User.objects.get(pk=alice.pk)} was erased before."
    ]
    event = Event.objects.get(kind="erased")
    assert (event.actor_id, event.detail) == (root.pk, {"forfeited": 7, "reason": "Asked by letter"})


def test_who_may_change_people_may_not_erase_them(make_person, alice: User) -> None:
    carol = make_person("carol", is_staff=True)
    carol.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    ask(admin_of(carol), USERS, "erase", alice, confirmed="yes", reason="Out of spite")
    assert User.objects.get(pk=alice.pk).erased_at is None
