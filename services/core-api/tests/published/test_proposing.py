"""An agent's proposal out of a ticket: made by chat-gateway through the one function it may call."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from accounts.models import User
from approvals.actions import approve, reject
from approvals.models import Approval
from audit.models import Event
from learning.models import Enrolment
from tests import books, environment
from tests.conftest import Api
from wallet.models import OrderLine, Wallet

pytestmark = pytest.mark.postgres
TICKET = uuid.uuid4()


@pytest.fixture
def line(committed_db: str, alice: User) -> OrderLine:
    books.course("knots", price=40)
    books.give(alice, 100)
    books.buy(Api().as_(alice))
    return OrderLine.objects.get()


@pytest.fixture
def propose(committed_db: str, agnes: User, alice: User, line: OrderLine) -> Callable[..., uuid.UUID]:
    def call(**other: Any) -> uuid.UUID:
        said = {"ticket": TICKET, "agent": agnes.pk, "learner": alice.pk, "kind": "refund", "order_line": line.pk}
        said |= {"days": None, "reason": "The video does not play"} | other
        named = ", ".join(f"{name} => %({name})s" for name in said)
        with psycopg.connect(environment.database_address("chat", committed_db), autocommit=True) as chat:
            row = chat.execute(f"SELECT published.propose({named})", said).fetchone()
        assert row is not None
        return uuid.UUID(str(row[0]))

    return call


def test_a_proposed_refund_is_done_when_finance_approves(
    propose: Callable[..., uuid.UUID], alice: User, agnes: User, fiona: User, line: OrderLine
) -> None:
    approval = Approval.objects.get(pk=propose())
    assert (approval.person, approval.proposed_by, approval.ticket_id) == (alice, agnes, TICKET)
    assert (approval.amount, approval.lines, approval.order_id) == (40, [str(line.pk)], line.order_id)
    assert Event.objects.get(kind="approval_asked").actor_id == agnes.pk
    assert propose() == approval.pk  # again: the same
    approve(approval.pk, fiona)
    assert Wallet.objects.get(user=alice).balance == 100
    assert Enrolment.objects.get().end_reason == "refund"


def test_an_extension_is_proposed_for_some_days(propose: Callable[..., uuid.UUID]) -> None:
    approval = Approval.objects.get(pk=propose(kind="extension", days=7))
    assert (approval.kind, approval.days, approval.enrolment) == ("extension", 7, Enrolment.objects.get())


def test_the_tickets_agents_read_what_was_proposed_and_what_became_of_it(
    propose: Callable[..., uuid.UUID], committed_db: str, agnes: User, fiona: User, line: OrderLine
) -> None:
    refund, longer = propose(), propose(kind="extension", days=7, reason="She was ill")
    reject(refund, fiona, "It plays for us.")
    with psycopg.connect(environment.database_address("chat", committed_db)) as chat:
        columns = "approval_id, kind, state, order_line, days, amount, reason, proposed_by, note"
        query = f"SELECT {columns} FROM published.proposals(%s)"
        assert chat.execute(query, [TICKET]).fetchall() == [
            (refund, "refund", "rejected", line.pk, None, 40, "The video does not play", agnes.pk, "It plays for us."),
            (longer, "extension", "pending", line.pk, 7, None, "She was ill", agnes.pk, ""),
        ]
        assert chat.execute(query, [uuid.uuid4()]).fetchall() == []


@pytest.mark.parametrize(
    ("other", "sqlstate"),
    [
        ({"order_line": uuid.uuid4()}, "LC404"),
        ({"kind": "gift"}, "LC422"),
        ({"kind": "extension"}, "LC422"),
        ({"kind": "extension", "days": 0}, "LC422"),
    ],
    ids=["unknown-line", "unknown-kind", "no-days", "zero-days"],
)
def test_what_makes_no_sense_is_refused(
    propose: Callable[..., uuid.UUID], other: dict[str, Any], sqlstate: str
) -> None:
    with pytest.raises(psycopg.Error) as refusal:
        propose(**other)
    assert refusal.value.sqlstate == sqlstate
    assert not Approval.objects.exists()


def test_only_an_agent_proposes_and_only_about_the_tickets_learner(
    propose: Callable[..., uuid.UUID], alice: User, bob: User
) -> None:
    for other, sqlstate in (({"agent": alice.pk}, "LC403"), ({"learner": bob.pk}, "LC404")):
        with pytest.raises(psycopg.Error) as refusal:
            propose(**other)
        assert refusal.value.sqlstate == sqlstate


def test_what_is_over_or_waits_already_is_refused(propose: Callable[..., uuid.UUID], line: OrderLine) -> None:
    propose(kind="extension", days=7)
    with pytest.raises(psycopg.Error) as refusal:
        propose(kind="extension", days=8)
    assert refusal.value.sqlstate == "LC410"
    Enrolment.objects.update(ended_at=timezone.now(), end_reason="revoked")
    with pytest.raises(psycopg.Error) as refusal:
        propose()
    assert refusal.value.sqlstate == "LC409"
