"""DELETE /api/v1/me/: the person is gone, the books are right, and nobody is erased by accident."""

from __future__ import annotations

import re
import uuid
from io import StringIO

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg import sql

from accounts.actions import rename
from accounts.errors import RefreshTokenInvalid
from accounts.models import LoginSession, MailedToken, RefreshToken, User
from accounts.sessions import Client, Tokens, open_session, refresh
from audit.models import Event
from courses.models import Course
from learning.models import Enrolment
from mail.actions import do_queue
from mail.models import Mail
from payments.models import CreditPack, TopUp
from privacy import erasing
from privacy.erasing import KEPT, belongings, erase, relations
from support.models import Agent
from tests import books
from tests.conftest import PASSWORD, person
from wallet.models import Posting, Wallet

ME = "/api/v1/me/"


def delete(client, password=PASSWORD, **body):
    return client.delete(ME, {"current_password": password, **body})


def full_life(user, api):
    """Somebody who did everything that leaves a trace."""
    books.course("knots", 40)
    books.give(user, 100)
    client = api.as_(user)
    assert books.buy(client).status_code == 201
    assert client.post("/api/v1/auth/token/", {"username": user.username, "password": PASSWORD}).status_code == 200
    client.post("/api/v1/auth/password/reset/", {"email": user.email})
    do_queue("greeting", user, f"Welcome {user.username}", f"Dear {user.name}")
    MailedToken.objects.create(
        token_hash=uuid.uuid4().bytes * 2,
        user=user,
        purpose="change_email",
        email=f"new-{user.email}",
        expires_at="2030-01-01T00:00Z",
    )
    Agent.objects.create(user=user)
    Course.objects.get(slug="knots").instructors.add(user, person("someteacher"))
    TopUp.objects.create(
        user=user, pack=CreditPack.objects.first(), provider="sandbox", credits=10, amount=100, currency="EUR",
        checkout_url=f"https://pay.example/{user.username}",
    )  # fmt: skip
    LogEntry.objects.create(
        user=person("someadmin"), content_type=ContentType.objects.get_for_model(Wallet), object_id="1", action_flag=CHANGE,
        object_repr=f"wallet of {user}", change_message=f"Adjusted {user}.",
    )  # fmt: skip
    return client


def test_a_wrong_password_erases_nobody(api, alice):
    refused = delete(api.as_(alice), "not my password")
    assert (refused.status_code, refused.json()["code"]) == (403, "wrong_password")
    assert User.objects.get(pk=alice.pk).erased_at is None


def test_wrong_passwords_are_counted(api, alice):
    client = api.as_(alice)
    assert [delete(client, "not my password").status_code for _ in range(6)] == [403] * 5 + [429]
    assert delete(client).status_code == 429


def test_it_needs_the_password_and_credit_is_not_given_up_by_accident(api, alice):
    client = api.as_(alice)
    assert client.delete(ME, {"forfeit_credit": True}).json()["errors"] == {
        "current_password": ["This field is required."]
    }
    books.give(alice, 30)
    refused = delete(client)
    assert (refused.status_code, refused.json()["code"]) == (409, "credit_left")
    assert "30 credits" in refused.json()["detail"]
    assert delete(client, forfeit_credit=False).status_code == 409
    assert Wallet.objects.get(user=alice).balance == 30


def test_everything_that_says_who_it_was_is_gone_and_the_books_are_right(api, alice):
    client = full_life(alice, api)
    assert delete(client, forfeit_credit=True).status_code == 204
    gone = User.objects.get(pk=alice.pk)
    assert re.fullmatch(r"erased-[0-9a-f]{12}", gone.username)
    assert (gone.email, gone.name, gone.is_active) == (f"{gone.username}@erased.invalid", "", False)
    assert not gone.has_usable_password()
    assert gone.generation > alice.generation
    for model in (LoginSession, MailedToken, RefreshToken, Agent):
        assert not model.objects.exists()
    assert not Mail.objects.filter(user=gone).exists()
    assert list(Enrolment.objects.values_list("end_reason", flat=True)) == ["erased"]
    books.assert_books_are_right()
    last = Posting.objects.order_by("wallet_seq").last()
    assert (last.kind, last.amount, last.balance_after, last.credit.code) == ("forfeiture", 60, 0, "expired")
    assert client.get(ME).status_code == 401


@pytest.mark.postgres
def test_no_row_of_the_database_knows_the_names_any_more(api, alice):
    full_life(alice, api)
    erase(alice, alice, forfeit_credit=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = 'core'::regnamespace AND relkind = 'r'")
        tables = [row[0] for row in cursor.fetchall()]
        knowing = []
        for table in tables:
            cursor.execute(
                sql.SQL("SELECT count(*) FROM {} t WHERE t::text ILIKE '%%alice%%'").format(
                    sql.Identifier("core", table)
                )
            )
            if cursor.fetchone()[0]:
                knowing.append(table)
    assert len(tables) > 30
    assert knowing == []


def test_whoever_was_erased_while_they_chose_a_name_gets_none(alice):
    erase(User.objects.get(pk=alice.pk), None, forfeit_credit=False)
    rename(alice, "Alice in Wonderland")
    assert User.objects.get(pk=alice.pk).name == ""


def test_what_the_books_need_stays(api, alice):
    full_life(alice, api)
    erase(alice, alice, forfeit_credit=True)
    gone = User.objects.get(pk=alice.pk)
    assert gone.orders.count() == gone.topups.count() == 1
    wallet = Wallet.objects.get(user=gone)
    assert (wallet.balance, wallet.frozen) == (0, True)


def test_it_is_recorded_by_id_alone(api, alice, root):
    erase(alice, root, forfeit_credit=False, reason="Asked by letter")
    event = Event.objects.get(kind="erased")
    assert (event.actor_id, event.subject_id) == (root.pk, str(alice.pk))
    assert event.detail == {"forfeited": 0, "reason": "Asked by letter"}


def test_the_name_is_free_again(api, alice):
    erase(alice, alice, forfeit_credit=False)
    again = {"username": "Alice", "email": "alice@example.org", "password": "another long and good one"}
    assert api.post("/api/v1/auth/register/", again).status_code == 201


def test_nobody_logs_in_as_somebody_erased(api, alice):
    erase(alice, alice, forfeit_credit=False)
    for name in ("alice", "alice@example.org", User.objects.get(pk=alice.pk).username):
        answer = api.post("/api/v1/auth/token/", {"username": name, "password": PASSWORD})
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")


def test_an_admin_stays(api, root, make_person):
    lesser = make_person("lesser", "admin", is_staff=True)
    for admin in (root, lesser):
        refused = delete(api.as_(admin))
        assert (refused.status_code, refused.json()["code"]) == (409, "admin_stays")


def test_a_courses_only_instructor_stays_until_somebody_else_has_it(api, ines, make_person):
    course = books.course("knots", 40)
    course.instructors.add(ines)
    client = api.as_(ines)
    refused = delete(client)
    assert (refused.status_code, refused.json()["code"]) == (409, "courses_left")
    assert "knots" in refused.json()["detail"]
    ivan = make_person("ivan", "instructor")
    course.instructors.add(ivan)
    assert delete(client).status_code == 204
    assert list(Course.objects.get().instructors.all()) == [ivan]


def test_cut_off_half_way_nothing_is_done(alice, api, monkeypatch):
    full_life(alice, api)
    monkeypatch.setattr(erasing, "_do_rename_in_admin_history", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        erase(alice, alice, forfeit_credit=True)
    assert User.objects.get(pk=alice.pk).username == "alice"
    assert Wallet.objects.get(user=alice).balance == 60
    assert LoginSession.objects.filter(user=alice).exists()
    assert not Event.objects.filter(kind="erased").exists()


@pytest.mark.postgres
def test_eight_at_once_erase_once(committed_db, api, alice, at_once):
    books.give(alice, 30)
    outcomes = at_once(8, lambda _: books.patiently(lambda: erase(alice, alice, forfeit_credit=True)))
    assert sorted(outcomes, key=str) == [False] * 7 + [True]
    assert Posting.objects.filter(kind="forfeiture").count() == Event.objects.filter(kind="erased").count() == 1
    books.assert_books_are_right()


@pytest.mark.postgres
def test_whoever_buys_while_being_erased_gets_it_before_or_not_at_all(committed_db, api, alice, at_once):
    books.course("knots", 40)
    books.give(alice, 40)
    buyer = api.as_(alice)

    def call(number):
        if number:
            return books.patiently(lambda: books.buy(buyer)).status_code
        return books.patiently(lambda: erase(alice, alice, forfeit_credit=True))

    erased, bought = at_once(2, call)
    assert erased is True
    assert bought in (201, 401, 409)  # before; or the token counts no more; or the wallet is frozen
    assert not Enrolment.objects.filter(ended_at__isnull=True).exists()
    assert Wallet.objects.get(user=alice).balance == 0
    books.assert_books_are_right()


@pytest.mark.postgres
def test_refreshing_while_being_erased_leaves_no_login(committed_db, api, alice, at_once):
    tokens = [open_session(alice, Client(None, "phone")).refresh for _ in range(7)]

    def call(number):
        return refresh(tokens[number - 1]) if number else erase(alice, alice, forfeit_credit=False)

    erased, *refreshed = at_once(8, call)
    assert erased is True
    assert all(isinstance(each, Tokens | RefreshTokenInvalid) for each in refreshed)
    assert not LoginSession.objects.exists()
    assert not RefreshToken.objects.exists()


def test_every_relation_to_a_person_goes_with_them_or_says_why_it_stays():
    """Whoever adds one lets it CASCADE, or says in KEPT why it stays and sees to what it tells."""
    going = {f"{relation.related_model._meta.label}.{relation.field.name}" for relation in belongings()}
    all_of_them = {f"{relation.related_model._meta.label}.{relation.field.name}" for relation in relations()}
    assert all_of_them - going == set(KEPT)


def test_the_command_erases_by_id_and_lists_who_is_erased(alice, bob, root):
    books.give(bob, 5)
    said, complained = StringIO(), StringIO()
    with pytest.raises(CommandError, match="3 of 4"):
        call_command("erase_person", alice.pk, bob.pk, root.pk, uuid.uuid4(), stdout=said, stderr=complained)
    assert said.getvalue() == f"{alice.pk}: erased.\n"
    for reason in ("5 credits", "give up what is left (forfeit_credit)", "admin role", "nobody with this id"):
        assert reason in complained.getvalue()
    call_command("erase_person", alice.pk, bob.pk, forfeit_credit=True, stdout=said)
    assert f"{alice.pk}: was erased before.\n{bob.pk}: erased.\n" in said.getvalue()
    listed = StringIO()
    call_command("erase_person", list=True, stdout=listed)
    assert listed.getvalue().split() == [str(alice.pk), str(bob.pk)]
