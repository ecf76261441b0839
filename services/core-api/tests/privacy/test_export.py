"""GET /api/v1/me/export/: everything that is held about a person, and nothing about anybody else."""

from __future__ import annotations

import io
import json
from typing import Any
from zipfile import ZipFile

import psycopg
import pytest
from django.apps import apps

from accounts.models import LoginSession, User
from audit.models import Event
from mail.actions import do_queue
from privacy.erasing import relations
from privacy.export import NOT_EXPORTED, sections
from privacy.sections import Section
from tests import books, environment
from tests.factories import grant, make_course

EXPORT = "/api/v1/me/export/"


def unpacked(answer: Any) -> dict[str, Any]:
    """The archive's files by name; JSON is read."""
    assert answer.status_code == 200, answer.content
    with ZipFile(io.BytesIO(answer.getvalue())) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    return {name: json.loads(text) if name.endswith(".json") else text for name, text in texts.items()}


def test_it_is_an_attachment_that_nobody_keeps(api, alice):
    answer = api.as_(alice).get(EXPORT, headers={"Accept": "application/zip"})
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="lectern-alice.zip"'
    assert answer.headers["Cache-Control"] == "no-store"
    files = unpacked(answer)
    assert {each["file"] for each in files["manifest.json"]["files"]} == set(files) - {"manifest.json", "README.txt"}
    assert "profile.json (1): Who you are here." in files["README.txt"]


def test_it_holds_what_the_person_did(api, alice):
    course = books.course("knots", 40)
    books.give(alice, 100)
    client = api.as_(alice)
    assert books.buy(client).status_code == 201
    do_queue("greeting", alice, "Welcome", "A link worth a log-in: https://example.org/secret")
    files = unpacked(client.get(EXPORT))
    assert files["profile.json"][0] | {"username": "alice", "email": "alice@example.org"} == files["profile.json"][0]
    assert files["wallet.json"] == [{"balance": 60, "promotional": 0, "frozen": False}]
    assert [(row["amount"], row["from_account"], row["to_account"]) for row in files["postings.json"]] == [
        (100, "adjustment", "wallet"),
        (40, "wallet", "revenue"),
    ]
    assert [(row["course"], row["price"]) for row in files["order_lines.json"]] == [("knots", 40)]
    assert [row["title"] for row in files["enrolments.json"]] == [course.title]
    assert [row["subject"] for row in files["mails.json"]] == ["Welcome"]
    assert "example.org/secret" not in json.dumps(files)
    assert len(files["logins.json"]) == LoginSession.objects.filter(user=alice).count()


def test_it_holds_nothing_of_others(api, alice, bob, root):
    """bob did the same, and an admin acted on alice from an address of their own."""
    for person in (alice, bob):
        books.give(person, 10)
        grant(person, make_course(f"of-{person.username}"))
        do_queue("greeting", person, f"Welcome {person.username}", "Hello")
    Event.objects.create(
        kind="deactivated",
        actor_id=root.pk,
        subject_type="accounts.user",
        subject_id=str(alice.pk),
        address="192.0.2.99",
    )
    Event.objects.create(
        kind="refund",
        actor_id=alice.pk,
        subject_type="accounts.user",
        subject_id=str(bob.pk),
        detail={"reason": "of bob"},
    )
    files = unpacked(api.as_(alice).get(EXPORT))
    text = json.dumps(files)
    for foreign in ("bob", "root", str(bob.pk), str(root.pk), "192.0.2.99"):
        assert foreign not in text
    done = [(row["kind"], row["by"], row["about"]) for row in files["security_log.json"]]
    assert ("deactivated", "somebody else", "you") in done
    assert ("refund", "you", "accounts.user") in done


def test_it_is_recorded(api, alice):
    unpacked(api.as_(alice).get(EXPORT))
    event = Event.objects.get(kind="export")
    assert (event.actor_id, event.subject_id) == (alice.pk, str(alice.pk))


def test_a_sixth_within_an_hour_waits(api, alice, bob):
    client = api.as_(alice)
    for _ in range(5):
        unpacked(client.get(EXPORT))
    refused = client.get(EXPORT, headers={"Accept": "application/zip"})
    assert refused.status_code == 429
    assert (refused.json()["code"], refused.headers["Content-Type"]) == (
        "too_many_requests",
        "application/problem+json",
    )
    assert int(refused.headers["Retry-After"]) > 0
    unpacked(api.as_(bob).get(EXPORT))


def test_nobody_gets_it_without_a_token(api):
    assert api.get(EXPORT).json()["code"] == "not_authenticated"


def test_a_database_that_goes_away_half_way_is_503(api, alice, monkeypatch):
    from django.db import OperationalError

    def gone(user: User) -> Any:
        raise OperationalError("the connection is lost")
        yield

    monkeypatch.setattr("privacy.export.HELD", (lambda user: [Section("gone", "", gone(user))],))
    answer = api.as_(alice).get(EXPORT)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_many_rows_are_neither_lost_nor_held_in_memory(api, alice):
    LoginSession.objects.bulk_create(LoginSession(user=alice, user_agent="x" * 150) for _ in range(2_500))
    files = unpacked(api.as_(alice).get(EXPORT))
    assert len(files["logins.json"]) == 2_501


def test_every_model_that_points_at_a_person_is_exported_or_says_why_not(alice):
    """Whoever adds one says what a person gets to see of it: in a section of its app's queries.py, or in NOT_EXPORTED."""
    shown = {model for section in sections(alice) if isinstance(section, Section) for model in section.models}
    pointing = {relation.related_model._meta.label for relation in relations()} - {
        "published.PlaybackSession",
        "published.Upload",
    }
    assert pointing - shown - set(NOT_EXPORTED) == set()
    assert set(NOT_EXPORTED) <= pointing
    for model in shown | set(NOT_EXPORTED):
        apps.get_model(model)


def test_parts_that_are_not_there_are_named(api, alice):
    missing = {each["part"] for each in unpacked(api.as_(alice).get(EXPORT))["manifest.json"]["missing"]}
    assert missing == {"chat", "stream"}


# As deploy/contracts.md has them. The gateways' own tests hold the real ones to the same page.
CHAT = """
CREATE FUNCTION chat_published.held_about(person uuid) RETURNS TABLE (kind text, record json) LANGUAGE sql AS $$
    SELECT 'tickets', json_build_object('subject', 'Help') UNION ALL
    SELECT 'messages', json_build_object('message', 'Line ' || n) FROM generate_series(1, 1500) n $$;
GRANT EXECUTE ON FUNCTION chat_published.held_about(uuid) TO lectern_core;
"""
STREAM = """
CREATE VIEW stream_published.playback_session AS
SELECT gen_random_uuid() AS playback_id, '{user}'::uuid AS user_id, gen_random_uuid() AS lesson_id, gen_random_uuid() AS package_id,
       'hls' AS kind, now() AS started_at, now() AS last_seen_at, NULL::timestamptz AS ended_at, NULL AS end_reason,
       '198.51.100.7'::inet AS client_address, 'hls.js' AS user_agent, 60 AS active_s;
GRANT SELECT ON stream_published.playback_session TO lectern_core;
"""


@pytest.mark.postgres
def test_the_other_services_parts_come_by_what_they_publish(committed_db, api, alice):
    for role, statements in (("chat_owner", CHAT), ("stream_owner", STREAM.format(user=alice.pk))):
        with psycopg.connect(environment.database_address(role, committed_db)) as connection:
            connection.execute(statements)
    files = unpacked(api.as_(alice).get(EXPORT))
    assert files["chat/tickets.json"] == [{"subject": "Help"}]
    assert len(files["chat/messages.json"]) == 1_500
    assert [(row["client_address"], row["kind"]) for row in files["stream/playback_sessions.json"]] == [
        ("198.51.100.7", "hls")
    ]
    assert files["manifest.json"]["missing"] == []
