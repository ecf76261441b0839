"""Statements that are compiled once say what Django's own say."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.db.models import QuerySet
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import LoginSession, User
from config.compiled import Parameter, compiled, compiled_update, insert, insert_all
from wallet.ledger import lock_wallet


@compiled
def _sessions_since() -> QuerySet[LoginSession]:
    return LoginSession.objects.filter(user=Parameter("user"), created_at__gte=Parameter("since"), address__isnull=True)


@compiled_update
def _end() -> tuple[QuerySet[LoginSession], dict[str, Any]]:
    return LoginSession.objects.filter(pk=Parameter("id"), ended_at__isnull=True), {"ended_at": Parameter("at")}


def session(user: User, minutes: int = 0, **fields: object) -> LoginSession:
    return LoginSession(user=user, created_at=timezone.now() - timedelta(minutes=minutes), **fields)


def saved(user: User, minutes: int = 0) -> LoginSession:
    made = session(user, minutes)
    made.save()
    return made


def values(row: models.Model) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_the_same_rows_are_found_whatever_was_asked_for_first(alice: User, bob: User) -> None:
    old, new, of_bob = saved(alice, minutes=90), saved(alice), saved(bob)
    an_hour_ago = timezone.now() - timedelta(hours=1)
    assert _sessions_since(user=bob.pk, since=an_hour_ago) == [of_bob]
    [found] = _sessions_since(user=alice.pk, since=an_hour_ago)
    assert values(found) == values(LoginSession.objects.get(pk=new.pk))
    assert set(_sessions_since(user=alice.pk, since=an_hour_ago - timedelta(hours=1))) == {old, new}
    assert _sessions_since(user=uuid.uuid4(), since=an_hour_ago) == []


def test_what_is_found_can_be_saved_again(alice: User) -> None:
    saved(alice)
    [found] = _sessions_since(user=alice.pk, since=timezone.now() - timedelta(hours=1))
    found.user_agent = "a browser"
    found.save()
    assert [it.user_agent for it in LoginSession.objects.all()] == ["a browser"]


def test_a_statement_is_compiled_once(alice: User) -> None:
    made = []

    @compiled
    def people() -> QuerySet[User]:
        made.append(1)
        return User.objects.filter(pk=Parameter("id"))

    assert [people(id=id) for id in (uuid.uuid4(), alice.pk, uuid.uuid4())] == [[], [alice], []]
    assert made == [1]


def test_a_value_that_is_missing_is_told(alice: User) -> None:
    with pytest.raises(KeyError, match="since"):
        _sessions_since(user=alice.pk)


def test_none_is_refused_where_it_would_find_nothing(alice: User) -> None:
    with pytest.raises(TypeError, match="since"):
        _sessions_since(user=alice.pk, since=None)


def test_an_update_counts_the_rows_that_it_changed(alice: User) -> None:
    row, at = saved(alice), timezone.now()
    assert _end(id=row.pk, at=at) == 1
    assert _end(id=row.pk, at=at) == 0
    row.refresh_from_db()
    assert row.ended_at == at


def test_a_row_is_written_as_save_writes_it(alice: User) -> None:
    row = session(alice, user_agent="a browser", address="2001:db8::1")
    assert insert(row)
    assert values(LoginSession.objects.get(pk=row.pk)) == values(row)
    row.user_agent = "another"
    row.save()  # it knows that it is there: no second row
    assert [it.user_agent for it in LoginSession.objects.all()] == ["another"]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_any_number_of_rows(alice: User, count: int) -> None:
    rows = [session(alice, minutes) for minutes in range(count)]
    insert_all(rows)
    assert {it.pk: values(it) for it in LoginSession.objects.all()} == {it.pk: values(it) for it in rows}


def test_a_row_that_is_there_stays_as_it_is(alice: User) -> None:
    row = saved(alice)
    assert not insert(session(alice, pk=row.pk, user_agent="another"), ignore_conflicts=True)
    assert LoginSession.objects.get().user_agent == ""


def test_a_refused_row_spoils_its_transaction_as_djangos_do(alice: User) -> None:
    row = saved(alice)
    with transaction.atomic():
        with pytest.raises(IntegrityError):
            insert(session(alice, pk=row.pk))
        with pytest.raises(TransactionManagementError):
            LoginSession.objects.count()
        transaction.set_rollback(True)


def test_a_wallets_lock_is_still_one(alice: User) -> None:
    lock_wallet(alice)  # made
    with CaptureQueriesContext(connection) as asked:
        lock_wallet(alice)
    [statement] = asked.captured_queries
    assert statement["sql"].endswith("FOR NO KEY UPDATE") == (connection.vendor == "postgresql")
