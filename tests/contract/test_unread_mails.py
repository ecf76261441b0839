"""Who is away gets one mail for a stretch of unread messages: chat-gateway's process, core-api's worker and a mail server."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from mail_server import MailServer, mail_server

from contract.conftest import SERVICES
from deploy.embedded.waiting import looks

if TYPE_CHECKING:
    from contract.conftest import Lectern

NOW = {"LECTERN_CHAT_MAIL_AFTER": "0.01", "LECTERN_PORT_INTERNAL": "0"}  # minutes
TICKET = """
INSERT INTO chat.ticket (id, category_id, category_slug, learner_id, learner_username, subject, state, head_seq)
VALUES (%(ticket)s, gen_random_uuid(), 'billing', %(person)s, %(name)s, 'Help', 'queued', 0)"""
MESSAGE = """
WITH head AS (UPDATE chat.ticket SET head_seq = head_seq + 1 WHERE id = %(ticket)s RETURNING head_seq)
INSERT INTO chat.message (id, ticket_id, seq, sender_id, sender_username, body, created_at)
SELECT gen_random_uuid(), %(ticket)s, head_seq, gen_random_uuid(), 'bob', 'Hello!', clock_timestamp() FROM head"""
READ = """
INSERT INTO chat.read_cursor (ticket_id, user_id, seq) SELECT id, learner_id, head_seq FROM chat.ticket WHERE id = %(ticket)s"""


class Learner:
    """Somebody with a ticket, in which an agent writes while they are away."""

    def __init__(self, lectern: Lectern, mails: MailServer, name: str) -> None:
        self.name, self.email = name, f"{name}@example.org"
        self._lectern, self._mails = lectern, mails
        self._about = {"ticket": uuid.uuid4(), "person": uuid.uuid4(), "name": name}
        with lectern.connect("core") as core:
            core.execute(
                "INSERT INTO core.accounts_user (id, username, email, name, password, is_active, is_staff, is_superuser,"
                " generation, date_joined) VALUES (%s, %s, %s, '', '', true, false, false, 0, now())",
                [self._about["person"], name, self.email],
            )
        self._chat(TICKET)

    def _chat(self, statement: str) -> None:
        with self._lectern.connect("chat") as chat:
            chat.execute(statement, self._about)

    def is_written_to(self, times: int = 1) -> None:
        for _ in range(times):
            self._chat(MESSAGE)

    def reads(self) -> None:
        self._chat(READ)

    def mails(self, count: int) -> list[EmailMessage]:
        """Theirs, once there are so many."""
        for _ in looks(60):
            if len(found := self._mails.to(self.email)) >= count:
                return found
        raise AssertionError(f"{self.name} got {len(self._mails.to(self.email))} mails, not {count}")


@contextmanager
def running(lectern: Lectern, role: str, *command: str, **environment: str) -> Iterator[None]:
    folder = SERVICES / {"core": "core-api", "chat": "chat-gateway"}[role]
    with (lectern.folder / f"{role}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=lectern.environment(role) | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def mails(lectern: Lectern) -> Iterator[MailServer]:
    """What arrives while both services run. A worker that has just started makes up for what was due the minute before."""
    with mail_server() as server, running(lectern, "chat", "-m", "realtime.serve", **NOW):
        yield server


@contextmanager
def worker(lectern: Lectern, mails: MailServer) -> Iterator[None]:
    with running(lectern, "core", "manage.py", "worker", EMAIL_URL=mails.url):
        yield


def handed_over(lectern: Lectern, learner: Learner, count: int) -> None:
    with lectern.connect("core") as core:
        for _ in looks(60):
            found = core.execute('SELECT count(*) FROM core.mail_mail WHERE "to" = %s', [learner.email]).fetchone()
            if found == (count,):
                return
    raise AssertionError(f"{found} mails for {learner.name}, not {count}")


def test_one_mail_for_a_stretch_and_its_header_ends_them(lectern: Lectern, mails: MailServer) -> None:
    alice, carol = (Learner(lectern, mails, name) for name in ("alice", "carol"))
    alice.is_written_to(times=3)
    handed_over(lectern, alice, 1)
    alice.is_written_to()  # of the same stretch
    carol.is_written_to()
    handed_over(lectern, carol, 1)  # so it was looked at again meanwhile
    with worker(lectern, mails):
        carol.mails(1)
        [mail] = alice.mails(1)
    assert (mail["Auto-Submitted"], mail["List-Unsubscribe-Post"]) == ("auto-generated", "List-Unsubscribe=One-Click")
    address = mail["List-Unsubscribe"].strip(" <>")
    assert address in mail.get_content()

    link = urlsplit(address)
    post = f"from django.test import Client; print(Client().post('{link.path}?{link.query}', SERVER_NAME='127.0.0.1').status_code)"
    assert lectern.run("core", "manage.py", "shell", "--no-imports", "-c", post).split()[-1] == "200"
    for learner in (alice, carol):
        learner.reads()
        learner.is_written_to()  # another stretch
    handed_over(lectern, carol, 2)
    handed_over(lectern, alice, 1)
