"""The audit log says who did what, when and from where; and nobody changes what it says."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import User
from audit.actions import record
from audit.kinds import Kind
from audit.models import Event
from audit.origin import OriginMiddleware, current_origin
from audit.tasks import purge_audit_log
from tests import environment


def test_an_event_names_actor_and_subject_by_their_ids(alice: User, root: User) -> None:
    event = record(Kind.DEACTIVATED, actor=root, subject=alice, reason="asked for it")
    event.refresh_from_db()
    assert (event.actor_id, event.subject_type, event.subject_id) == (root.pk, "accounts.user", str(alice.pk))
    assert (event.detail, event.address, event.request_id) == ({"reason": "asked for it"}, None, "")


def test_within_a_request_it_says_from_where(alice: User) -> None:
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": "203.0.113.7", "HTTP_X_REQUEST_ID": "abc"}

    def answer(_request: HttpRequest) -> HttpResponse:
        record(Kind.LOGIN, actor=alice)
        return HttpResponse()

    OriginMiddleware(answer)(request)
    event = Event.objects.get()
    assert (event.address, event.request_id) == ("203.0.113.7", "abc")
    assert current_origin().address is None


STATEMENTS = ["UPDATE core.audit_event SET detail = '{}'", "DELETE FROM core.audit_event", "TRUNCATE core.audit_event"]


@pytest.mark.postgres
@pytest.mark.parametrize("role", ["core", "core_owner", None], ids=["runtime role", "owner", "superuser"])
def test_the_database_refuses_to_change_the_past(committed_db: str, role: str | None) -> None:
    record(Kind.LOGIN, actor=None)
    with psycopg.connect(environment.database_address(role, committed_db), autocommit=True) as connection:
        for statement in STATEMENTS:
            with pytest.raises(psycopg.DatabaseError, match=r"append-only|permission denied"):
                connection.execute(statement)
    assert Event.objects.count() == 1


def test_what_is_older_than_the_time_it_is_kept_goes(alice: User) -> None:
    Event.objects.create(kind=Kind.LOGIN, at=timezone.now() - timedelta(days=401))
    kept = Event.objects.create(kind=Kind.LOGIN, at=timezone.now() - timedelta(days=399))
    purge_audit_log()
    assert list(Event.objects.all()) == [kept]
