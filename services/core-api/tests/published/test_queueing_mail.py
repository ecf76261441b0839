"""Mails that chat-gateway hands over: in its own transaction, each once, to people who are there."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from accounts import actions
from accounts.models import User
from mail.actions import send
from mail.models import Mail
from tests import environment

pytestmark = pytest.mark.postgres


@pytest.fixture
def queue(committed_db: str, alice: User) -> Callable[..., bool]:
    def call(**other: Any) -> bool:
        said = {"mail": uuid.uuid4(), "person": alice.pk, "kind": "ticket_unread", "subject": "Unread", "body": "Read."}
        said |= other
        with psycopg.connect(environment.database_address("chat", committed_db), autocommit=True) as chat:
            named = ", ".join(f"{name} => %({name})s" for name in said)
            row = chat.execute(f"SELECT published.queue_mail({named})", said).fetchone()
        assert row is not None
        return bool(row[0])

    return call


def test_a_mail_that_was_handed_over_is_sent(
    queue: Callable[..., bool], alice: User, mailoutbox: list[Any], settings: Any
) -> None:
    assert queue(kind="ticket_closes")
    message = Mail.objects.get(user=alice)
    assert (message.kind, message.to, message.status) == ("ticket_closes", alice.email, "waiting")
    send(message.pk)
    assert [(each.subject, each.body, each.to) for each in mailoutbox] == [("Unread", "Read.", [alice.email])]


def test_the_same_mail_again_is_the_same(queue: Callable[..., bool]) -> None:
    same = uuid.uuid4()
    assert [queue(mail=same), queue(mail=same)] == [True, False]
    assert Mail.objects.count() == 1


def test_nobody_who_is_gone_gets_one(queue: Callable[..., bool], alice: User) -> None:
    actions.deactivate(alice)
    assert not queue()
    assert not queue(person=uuid.uuid4())
    assert not Mail.objects.exists()


def test_who_wants_none_about_unread_messages_gets_the_others(queue: Callable[..., bool], alice: User) -> None:
    actions.want_chat_mails(alice, False)
    assert [queue(), queue(kind="ticket_closes")] == [False, True]


@pytest.mark.parametrize(
    "wrong", [{"kind": "password_reset"}, {"subject": "x" * 151}, {"subject": "a\nBcc: b"}, {"body": "x" * 2001}]
)
def test_what_is_no_mail_of_a_ticket_is_refused(queue: Callable[..., bool], wrong: dict[str, Any]) -> None:
    with pytest.raises(psycopg.Error) as refusal:
        queue(**wrong)
    assert refusal.value.sqlstate == "LC422"
