"""The admin site's pages about people, used as staff use them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.models import LoginSession, User
from audit.models import Event
from mail.actions import do_queue
from tests.accounts.test_logging_in import bearer, log_in
from tests.admin_pages import act, ask, permit
from tests.conftest import PASSWORD, Api

USERS = "/admin/accounts/user/"


def admin_of(user: User) -> Client:
    client = Client()
    page = client.post("/admin/login/", {"username": user.email, "password": PASSWORD, "next": USERS})
    assert (page.status_code, page["Location"]) == (302, USERS)
    return client


def form_of(client: Client, user: User, **changes: Any) -> dict[str, Any]:
    """What the browser would send back from the person's page."""
    form = client.get(f"{USERS}{user.pk}/change/").context["adminform"].form
    sent = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    sent["groups"] = [group.pk for group in user.groups.all()]
    sent["user_permissions"] = []
    inline = {f"login_sessions-{name}": 0 for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    return {
        name: value for name, value in (sent | inline | changes).items() if value is not None and value is not False
    }


@pytest.fixture
def helper(make_person) -> User:
    """Staff who may change people, and nothing else."""
    user: User = make_person("helper", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=["view_user", "change_user"]))
    return user


def test_nobody_but_staff_enters(alice: User) -> None:
    answer = Client().post("/admin/login/", {"username": "alice", "password": PASSWORD})
    assert "this account is not one of the staff" in answer.content.decode()
    assert Client().get(USERS).status_code == 302


def test_people_are_found_by_name_address_and_id(root: User, alice: User, bob: User) -> None:
    client = admin_of(root)
    for query in ("alic", "alice@example.org", str(alice.pk)):
        people = client.get(USERS, {"q": query}).context["cl"].queryset
        assert [person.username for person in people] == ["alice"]
    page = client.get(USERS, {"is_active__exact": "0"}).content.decode()
    assert "0 users" in page


def test_every_page_about_people_opens(root: User, alice: User) -> None:
    LoginSession.objects.create(user=alice, user_agent="Firefox", address="198.51.100.7")
    client = admin_of(root)
    page = client.get(f"{USERS}{alice.pk}/change/").content.decode()
    assert "198.51.100.7" in page
    for path in (
        USERS,
        f"{USERS}add/",
        f"{USERS}{alice.pk}/password/",
        f"{USERS}{alice.pk}/history/",
        "/admin/auth/group/",
    ):
        assert client.get(path).status_code == 200
    assert client.get(f"{USERS}{alice.pk}/delete/").status_code == 403


def test_pages_need_no_inline_script(root: User, alice: User) -> None:
    client = admin_of(root)
    for path in ("/admin/", USERS, f"{USERS}add/", f"{USERS}{alice.pk}/change/", "/admin/auth/group/add/"):
        answer = client.get(path)
        assert "script-src 'self';" in answer["Content-Security-Policy"] + ";"
        text = answer.content.decode()
        assert "<script>" not in text
        assert " onclick=" not in text
        assert "<style" not in text


def test_somebody_is_added_and_can_log_in(root: User, api: Api) -> None:
    form = {"username": "carol", "email": "carol@example.org", "usable_password": "true"}
    client = admin_of(root)
    weak = client.post(f"{USERS}add/", form | {"password1": "carol", "password2": "carol"})
    assert "too short" in weak.content.decode()
    answer = client.post(f"{USERS}add/", form | {"password1": PASSWORD, "password2": PASSWORD})
    assert answer.status_code == 302
    log_in(api, "carol")
    twice = client.post(f"{USERS}add/", form | {"username": "CAROL", "password1": PASSWORD, "password2": PASSWORD})
    assert "That e-mail address is in use." in twice.content.decode()


def test_a_new_password_ends_every_login(root: User, alice: User, api: Api) -> None:
    pair = log_in(api)
    new = "an entirely different phrase"
    form = {"password1": new, "password2": new, "usable_password": "true"}
    assert admin_of(root).post(f"{USERS}{alice.pk}/password/", form).status_code == 302
    assert bearer(pair["access"]).get("/api/v1/me/").status_code == 401
    assert api.post("/api/v1/auth/token/refresh/", {"refresh": pair["refresh"]}).status_code == 401
    log_in(api, password=new)


def test_ones_own_new_password_keeps_this_page_and_ends_the_others(root: User) -> None:
    here, elsewhere = admin_of(root), admin_of(root)
    new = "an entirely different phrase"
    form = {"password1": new, "password2": new, "usable_password": "true"}
    assert here.post(f"{USERS}{root.pk}/password/", form).status_code == 302
    assert here.get(USERS).status_code == 200
    assert elsewhere.get(USERS).status_code == 302


def test_deactivating_in_the_list_ends_every_login(root: User, alice: User, bob: User, api: Api) -> None:
    pair = log_in(api)
    assert act(admin_of(root), USERS, "deactivate", alice, reason="Shared her account") == ["alice is deactivated."]
    assert bearer(pair["access"]).get("/api/v1/me/").status_code == 401
    alice.refresh_from_db()
    bob.refresh_from_db()
    assert (alice.is_active, bob.is_active) == (False, True)


def test_the_page_writes_what_changed_and_undoes_nothing(root: User, alice: User) -> None:
    client = admin_of(root)
    form = form_of(client, alice, name="Alice B.")
    User.objects.filter(pk=alice.pk).update(email="new@example.org", generation=7)  # while the page is open
    form["email"] = "new@example.org"
    answer = client.post(f"{USERS}{alice.pk}/change/", form)
    assert answer.status_code == 302, answer.context["errors"]
    alice.refresh_from_db()
    assert (alice.name, alice.generation) == ("Alice B.", 7)


def test_logging_out_everywhere_ends_admin_sessions_too(root: User, fiona: User) -> None:
    fiona.user_permissions.add(Permission.objects.get(codename="view_user"))
    fionas = admin_of(fiona)
    assert fionas.get(USERS).status_code == 200
    assert act(admin_of(root), USERS, "log_out_everywhere", fiona) == ["fiona is logged out everywhere."]
    assert fionas.get(USERS).status_code == 302


def test_a_helper_can_neither_become_nor_touch_a_superuser(helper: User, root: User, alice: User) -> None:
    client = admin_of(helper)
    form = form_of(client, helper) | {"is_superuser": "on", "groups": [1, 2, 3, 4, 5, 6, 7], "is_staff": "on"}
    client.post(f"{USERS}{helper.pk}/change/", form)
    helper.refresh_from_db()
    assert (helper.is_superuser, helper.groups.count()) == (False, 0)
    secret = {"password1": PASSWORD[::-1], "password2": PASSWORD[::-1], "usable_password": "true"}
    assert client.post(f"{USERS}{root.pk}/password/", secret).status_code == 403
    page = ask(client, USERS, "deactivate", root, alice)
    assert page.context["left_alone"] == [root]
    assert "Left alone" in page.content.decode()
    assert act(client, USERS, "deactivate", root, alice, reason="A try") == ["alice is deactivated."]
    root.refresh_from_db()
    assert root.is_active
    assert root.check_password(PASSWORD)


@pytest.mark.parametrize("active", [True, False], ids=["active", "deactivated"])
def test_a_helper_cannot_take_over_who_may_do_more(helper: User, fiona: User, active: bool) -> None:
    User.objects.filter(pk=fiona.pk).update(is_active=active)
    client = admin_of(helper)
    secret = {"password1": PASSWORD[::-1], "password2": PASSWORD[::-1], "usable_password": "true"}
    assert client.post(f"{USERS}{fiona.pk}/password/", secret).status_code == 403
    assert client.post(f"{USERS}{fiona.pk}/change/", {"email": "helper@example.org"}).status_code == 403
    assert ask(client, USERS, "deactivate", fiona).context["left_alone"] == [fiona]
    fiona.refresh_from_db()
    assert (fiona.check_password(PASSWORD), fiona.email) == (True, "fiona@example.org")


@pytest.fixture
def steward(make_person) -> User:
    """Staff who hand out roles: they may edit people and groups, and hold what finance holds."""
    user: User = make_person("steward", "finance", is_staff=True)
    return permit(user, "accounts.view_user", "accounts.change_user", "auth.view_group", "auth.change_group")


def roles_changed() -> list[tuple[Any, str, dict[str, Any]]]:
    return [(event.actor_id, event.subject_id, event.detail) for event in Event.objects.filter(kind="roles_changed")]


def test_who_hands_out_roles_gives_no_more_than_they_have(steward: User, alice: User) -> None:
    client = admin_of(steward)
    finance, admins = Group.objects.get(name="finance"), Group.objects.get(name="admin")
    page = f"{USERS}{alice.pk}/change/"
    refused = client.post(page, form_of(client, alice, groups=[admins.pk], name="Alice"))
    assert "You cannot give what you do not have: " in str(refused.context["adminform"].form.errors)
    answer = client.post(page, form_of(client, alice, groups=[finance.pk], is_staff="on"))
    assert answer.status_code == 302
    alice.refresh_from_db()
    assert (list(alice.groups.all()), alice.is_staff) == ([finance], True)
    assert roles_changed() == [
        (steward.pk, str(alice.pk), {"is_staff": True, "groups_added": ["finance"], "groups_removed": []})
    ]


def test_a_role_is_edited_within_what_the_editor_has(steward: User) -> None:
    client = admin_of(steward)
    group = Group.objects.get(name="support_agent")
    held = list(group.permissions.values_list("pk", flat=True))
    page = f"/admin/auth/group/{group.pk}/change/"
    delete = Permission.objects.get(codename="delete_course")
    refused = client.post(page, {"name": group.name, "permissions": [*held, delete.pk]})
    assert "courses.delete_course" in str(refused.context["adminform"].form.errors)
    adjust = Permission.objects.get(codename="adjust")
    assert client.post(page, {"name": group.name, "permissions": [*held, adjust.pk]}).status_code == 302
    assert group.permissions.filter(pk=adjust.pk).exists()
    detail = {"permissions_added": ["adjust"], "permissions_removed": []}
    assert roles_changed() == [(steward.pk, str(group.pk), detail)]
    assert not Event.objects.filter(kind="admin_changed", detail__has_key="name").exists()


def test_the_mail_of_a_member_of_staff_is_for_superusers_to_read(make_person, root: User, alice: User) -> None:
    carol = permit(make_person("carol", is_staff=True), "mail.view_mail", "mail.change_mail")
    to_root = do_queue("password_reset", root, "Your password", "https://example.org/reset/worth-a-login")
    to_alice = do_queue("password_reset", alice, "Your password", "https://example.org/reset/of-alice")
    client = admin_of(carol)
    assert "of-alice" in client.get(f"/admin/mail/mail/{to_alice.pk}/change/").content.decode()
    page = client.get(f"/admin/mail/mail/{to_root.pk}/change/").content.decode()
    assert "worth-a-login" not in page
    assert "only superusers read it" in page
    assert "worth-a-login" in admin_of(root).get(f"/admin/mail/mail/{to_root.pk}/change/").content.decode()
