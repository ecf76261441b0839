"""Mail leaves after the commit, by a job, and is not lost when the mail server is away."""

from __future__ import annotations

from datetime import timedelta
from smtplib import SMTPServerDisconnected
from unittest.mock import patch

import pytest
from django.core.mail import EmailMessage
from django.db import connection
from django.utils import timezone

from accounts.models import User
from mail.actions import ATTEMPTS, do_queue, send, send_again
from mail.models import Mail
from mail.tasks import purge_mails, send_waiting_mails

Status = Mail.Status


@pytest.fixture
def mail_server(settings) -> None:
    settings.MAIL_IS_SENT = True


def queue(user: User) -> Mail:
    return do_queue("password_reset", user, "Your new password", "https://example.org/#token=secret")


def make_due(message: Mail) -> None:
    Mail.objects.filter(pk=message.pk).update(next_attempt_at=timezone.now())


def test_without_a_mail_server_it_stays_in_the_outbox(alice: User, mailoutbox) -> None:
    message = queue(alice)
    send_waiting_mails()
    message.refresh_from_db()
    assert (message.status, message.to, mailoutbox) == (Status.WAITING, alice.email, [])
    assert "secret" in message.text


@pytest.mark.postgres
def test_queueing_it_queues_a_job_in_the_same_transaction(alice: User, mail_server, mailoutbox) -> None:
    message = queue(alice)
    with connection.cursor() as cursor:
        cursor.execute("SELECT args ->> 'mail_id' FROM procrastinate_jobs WHERE task_name LIKE '%send_mail'")
        assert cursor.fetchall() == [(str(message.pk),)]
    assert mailoutbox == []  # not before the job runs


def test_it_is_sent_once_and_its_text_forgotten(alice: User, mail_server, mailoutbox) -> None:
    message = queue(alice)
    send(message.pk)
    send(message.pk)
    message.refresh_from_db()
    [sent] = mailoutbox
    assert (sent.to, sent.subject) == ([alice.email], "Your new password")
    assert sent.extra_headers["Message-ID"] == f"<{message.pk}@127.0.0.1>"
    assert (message.status, message.text) == (Status.SENT, "")


def test_the_sender_may_have_a_name(alice: User, mail_server, mailoutbox, settings) -> None:
    settings.MAIL_FROM = "Lectern <support@example.org>"
    message = queue(alice)
    send(message.pk)
    assert mailoutbox[0].extra_headers["Message-ID"] == f"<{message.pk}@example.org>"


def test_two_workers_at_once_send_it_once(alice: User, mail_server, mailoutbox) -> None:
    message = queue(alice)
    deliver = EmailMessage.send

    def deliver_while_another_tries(email: EmailMessage) -> int:
        send(message.pk)
        return deliver(email)

    with patch.object(EmailMessage, "send", deliver_while_another_tries):
        send(message.pk)
    assert len(mailoutbox) == 1


def test_a_mail_server_that_is_away_is_tried_again_later_and_less_and_less(
    alice: User, mail_server, mailoutbox
) -> None:
    message = queue(alice)
    waits = []
    with patch.object(EmailMessage, "send", side_effect=SMTPServerDisconnected("gone")):
        for _ in range(ATTEMPTS):
            make_due(message)
            send(message.pk)
            message.refresh_from_db()
            waits.append(round((message.next_attempt_at - timezone.now()) / timedelta(minutes=1)))
    assert waits == [2**n for n in range(ATTEMPTS)]
    assert (message.status, message.error) == (Status.FAILED, "SMTPServerDisconnected: gone")

    assert send_again(message.pk)
    assert not send_again(message.pk)
    send_waiting_mails()
    assert len(mailoutbox) == 1


def test_a_mail_sent_again_the_next_day_is_tried_as_often_as_a_new_one(alice: User, mail_server, mailoutbox) -> None:
    message = queue(alice)
    long_ago = timezone.now() - timedelta(days=2)
    Mail.objects.filter(pk=message.pk).update(created_at=long_ago, status=Status.FAILED, attempts=ATTEMPTS)
    assert send_again(message.pk)
    with patch.object(EmailMessage, "send", side_effect=SMTPServerDisconnected("gone")):
        send(message.pk)
    make_due(message)
    send_waiting_mails()
    assert len(mailoutbox) == 1


def test_a_worker_killed_while_sending_leaves_it_to_the_next(alice: User, mail_server, mailoutbox) -> None:
    message = queue(alice)
    with patch.object(EmailMessage, "send", side_effect=SystemExit), pytest.raises(SystemExit):
        send(message.pk)
    send_waiting_mails()
    assert mailoutbox == []  # the lease still runs
    make_due(message)
    send_waiting_mails()
    assert len(mailoutbox) == 1


def test_old_news_is_not_sent_and_old_mail_forgotten(alice: User, mail_server, mailoutbox) -> None:
    Mail.objects.filter(pk=queue(alice).pk).update(created_at=timezone.now() - timedelta(days=2))
    Mail.objects.filter(pk=queue(alice).pk).update(created_at=timezone.now() - timedelta(days=31))
    send_waiting_mails()
    purge_mails()
    assert (mailoutbox, Mail.objects.count()) == ([], 1)
