"""Files that nobody wants any more go, and those that somebody wants stay: whoever was killed in between."""

from __future__ import annotations

import errno
import os
from datetime import timedelta

import psycopg
import pytest
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tests.conftest import url
from tests.test_attachments import all_files, call_erasure, on_disk, refused, say
from tickets import attachments, files
from tickets.models import Attachment, Message, new_id


def aged(attachment, **by):
    """As if it had been uploaded so long ago."""
    then = timezone.now() - timedelta(**by)
    Attachment.objects.filter(pk=attachment["id"]).update(created_at=then)
    return attachment


def exists(attachment):
    return Attachment.objects.filter(pk=attachment["id"]).exists(), on_disk(attachment).exists()


def test_what_nobody_sent_within_a_day_goes(call, upload, alice, ticket):
    sent, unsent, young, rejected = (upload(alice, ticket) for _ in range(4))
    say(call, alice, ticket, sent["id"])
    Attachment.objects.filter(pk=rejected["id"]).update(state="rejected")
    for each in (sent, unsent, rejected):
        aged(each, hours=25)
    aged(young, hours=23)
    attachments.clean_up()
    assert [exists(each) for each in (sent, unsent, young, rejected)] == [
        (True, True),
        (False, False),
        (True, True),
        (False, False),
    ]
    assert refused(say(call, alice, ticket, unsent["id"]))


def test_a_file_that_has_no_row_goes_and_one_that_is_being_written_stays(upload, alice, ticket):
    """Killed between file and row, between row and file, or while the file was being written."""
    row_gone = upload(alice, ticket)
    Attachment.objects.filter(pk=row_gone["id"]).delete()
    without_row, being_written = new_id(), new_id()
    files.keep(without_row, [b"Hi"])
    aside = files.root() / files.place(being_written)
    aside = aside.with_name(f".{being_written}")
    files.make_folder(aside.parent)
    aside.write_bytes(b"H")
    left = [on_disk(row_gone), files.root() / files.place(without_row), aside]
    attachments.clean_up()
    assert all(file.exists() for file in left)  # perhaps their rows are about to be committed
    kept = upload(alice, ticket)
    for file in left:
        os.utime(file, (0, 0))  # as a restored backup has them
    attachments.clean_up()
    assert all(file.exists() for file in left)
    attachments.clean_up(left_after=-1)
    assert not any(file.exists() for file in left)
    assert exists(kept) == (True, True)


def test_an_empty_database_removes_no_files(upload, alice, ticket):
    """Somebody restores a backup: the files are there, and the rows not yet."""
    kept = upload(alice, ticket)
    with transaction.atomic():
        Message.objects.update(attachment=None)
        Attachment.objects.all().delete()
        attachments.clean_up(left_after=-1)
        transaction.set_rollback(True)
    assert exists(kept) == (True, True)


def test_a_message_that_comes_while_its_file_goes_is_refused_or_keeps_it(call, upload, alice, ticket):
    """The sweep looks first, the message is committed, the sweep deletes: the database does not let it."""
    sent = aged(upload(alice, ticket), hours=25)
    with psycopg.connect(url("chat")) as sweeping:
        sweeping.execute("SELECT FROM chat.attachment WHERE id = %s FOR UPDATE SKIP LOCKED", [sent["id"]])
        sweeping.execute("DELETE FROM chat.attachment WHERE id = %s", [sent["id"]])
        sweeping.rollback()
        assert say(call, alice, ticket, sent["id"]).status_code == 201
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            sweeping.execute("DELETE FROM chat.attachment WHERE id = %s", [sent["id"]])
    attachments.clean_up()
    assert exists(sent) == (True, True)


def test_an_erased_learners_files_go_from_both_sides(call, upload, world, alice, bob, ticket):
    hers, his, unsent = upload(alice, ticket), upload(bob, ticket), upload(alice, ticket)
    for who, attachment in ((alice, hers), (bob, his)):
        assert say(call, who, ticket, attachment["id"]).status_code == 201
    world.erase(alice)
    call_erasure()
    assert [exists(each) for each in (hers, his, unsent)] == [(False, False)] * 3
    assert not Message.objects.filter(ticket_id=ticket["id"], attachment__isnull=False).exists()
    assert call(bob, "GET", f"/attachments/{hers['id']}/").status_code == 404


def test_an_erased_agents_files_stay_with_the_learner_they_were_sent_to(call, upload, world, alice, bob, ticket):
    sent, unsent = upload(bob, ticket), upload(bob, ticket)
    say(call, bob, ticket, sent["id"])
    world.erase(bob)
    call_erasure()
    assert [exists(each) for each in (sent, unsent)] == [(True, True), (False, False)]
    assert call(alice, "GET", f"/attachments/{sent['id']}/").status_code == 200


def test_whoever_is_killed_after_erasing_the_rows_leaves_files_that_go(call, upload, world, alice, ticket, monkeypatch):
    hers = upload(alice, ticket)
    world.erase(alice)
    with monkeypatch.context() as killed:
        killed.setattr(files, "drop", lambda _: None)
        call_erasure()
    assert exists(hers) == (False, True)
    attachments.clean_up(left_after=-1)
    assert exists(hers) == (False, False)


def test_a_persons_export_tells_of_their_files_and_where_they_are(call, upload, alice, bob, ticket):
    hers, his, unsent = upload(alice, ticket, b"Hi", "hers.txt"), upload(bob, ticket), upload(bob, ticket)
    for who, attachment in ((alice, hers), (bob, his)):
        say(call, who, ticket, attachment["id"])
    with psycopg.connect(url("core")) as core:
        found = core.execute(
            "SELECT record FROM chat_published.held_about(%s) WHERE kind = 'attachments'", [alice.id]
        ).fetchall()
    assert [(record["id"], record["own"]) for (record,) in found] == [(hers["id"], True), (his["id"], False)]
    first = found[0][0]
    assert (first["name"], first["size"], first["content_type"]) == ("hers.txt", 2, "text/plain; charset=utf-8")
    assert call(alice, "GET", first["address"]).status_code == 200
    assert unsent["id"] not in str(found)


@pytest.mark.parametrize(
    ("number", "status", "code"), [(errno.ENOSPC, 507, "disk_full"), (errno.EIO, 503, "unavailable")]
)
def test_a_disk_that_fails_at_the_last_moment_leaves_neither_file_nor_row(
    post_file, alice, ticket, monkeypatch, number, status, code
):
    def fail(_descriptor):
        raise OSError(number, os.strerror(number))

    before = all_files(), Attachment.objects.count()
    with monkeypatch.context() as failing:
        failing.setattr("tickets.files.os.fsync", fail)
        answer = post_file(alice, ticket)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (all_files(), Attachment.objects.count()) == before


def test_a_store_that_is_away_is_a_503_and_nothing_is_removed(post_file, upload, alice, ticket, monkeypatch, tmp_path):
    kept = upload(alice, ticket)
    (tmp_path / "no folder").write_text("")
    with monkeypatch.context() as away:
        away.setattr(settings, "ATTACHMENTS_ROOT", tmp_path / "no folder")
        answer = post_file(alice, ticket)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        attachments.clean_up(left_after=-1)
    assert exists(kept) == (True, True)
