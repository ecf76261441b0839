"""Playback sessions in the admin site, over what stream-gateway publishes."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from audit.models import Event
from courses.actions import do_delete_lesson
from tests import environment
from tests.accounts.test_admin_site import admin_of
from tests.admin_pages import act
from tests.published.conftest import Published

pytestmark = pytest.mark.postgres

PAGE = "/admin/published/playbacksession/"
PLAYBACK = "018f0000-0000-7000-8000-000000000001"
OVER = "018f0000-0000-7000-8000-000000000002"

# As deploy/contracts.md has them. stream-gateway's own tests hold the real ones to the same page.
STREAM = """
CREATE TABLE stream.session (playback_id uuid PRIMARY KEY, user_id uuid, lesson_id uuid, package_id uuid, kind text,
    started_at timestamptz, last_seen_at timestamptz, ended_at timestamptz, end_reason text, client_address inet, user_agent text,
    active_s int);
CREATE VIEW stream_published.playback_session AS SELECT * FROM stream.session;
CREATE FUNCTION stream_published.end_playback(playback_id uuid) RETURNS bool LANGUAGE sql SECURITY DEFINER AS $$
    WITH ended AS (UPDATE stream.session s SET ended_at = now(), end_reason = 'ended'
                    WHERE s.playback_id = $1 AND ended_at IS NULL RETURNING 1) SELECT EXISTS (SELECT FROM ended) $$;
CREATE FUNCTION stream_published.watermark_owner(code text)
    RETURNS TABLE (playback_id uuid, shown_from timestamptz, shown_until timestamptz) LANGUAGE sql SECURITY DEFINER AS $$
    SELECT s.playback_id, '2026-11-22T20:00Z'::timestamptz, '2026-11-22T20:05Z'::timestamptz
    FROM stream.session s WHERE code = '7M2K-Q9TD-04XB' AND user_id IS NOT NULL $$;
GRANT SELECT ON stream_published.playback_session TO lectern_core;
"""
ROW = """
INSERT INTO stream.session VALUES (%s, %s, %s, %s, 'hls', now() - interval '1 hour', now(), NULL, NULL,
    '198.51.100.7', 'hls.js', 754)
"""


@pytest.fixture
def playing(committed_db: str, alice: User, lathe: Published) -> None:
    """alice watches, and somebody without an account watched a preview."""
    with psycopg.connect(environment.database_address("stream_owner", committed_db)) as connection:
        connection.execute(STREAM)
        connection.execute(ROW, [PLAYBACK, alice.pk, lathe.lesson.pk, lathe.package.pk])
        connection.execute(ROW, [OVER, None, lathe.lesson.pk, lathe.package.pk])
        connection.execute("UPDATE stream.session SET ended_at = now(), end_reason = 'closed' WHERE user_id IS NULL")


def shown(client: Client, **query: str) -> list[str]:
    return [str(row.pk) for row in client.get(PAGE, query).context["cl"].result_list]


def test_the_page_says_what_is_missing_where_stream_gateway_is(committed_db: str, root: User) -> None:
    answer = admin_of(root).get(PAGE, follow=True)
    assert answer.redirect_chain == [("/admin/", 302)]
    assert "its migrations have not been run here" in answer.content.decode()


def test_sessions_are_listed_with_names_and_filtered(
    playing: None, root: User, django_assert_max_num_queries: Any
) -> None:
    client = admin_of(root)
    with django_assert_max_num_queries(12):
        page = client.get(PAGE).content.decode()
    for text in ("alice", "Safety", "The lathe", "somebody watching a preview", "0:12:34", "198.51.100.7"):
        assert text in page
    assert shown(client, playing="yes") == [PLAYBACK]
    assert shown(client, playing="no") == [OVER]
    assert shown(client, q="alice@example.org") == [PLAYBACK]
    assert set(shown(client, q="198.51.100.7")) == {PLAYBACK, OVER}
    assert shown(client, started="7") == []  # their ids are of 2024
    with django_assert_max_num_queries(12):
        assert client.get(f"{PAGE}{PLAYBACK}/change/").status_code == 200
    assert client.get(f"{PAGE}add/").status_code == client.get(f"{PAGE}{PLAYBACK}/delete/").status_code == 403


def test_the_code_of_a_recordings_watermark_finds_who_watched(playing: None, root: User) -> None:
    client = admin_of(root)
    page = client.get(PAGE, {"q": " 7M2K-Q9TD-04XB "})
    assert [str(row.pk) for row in page.context["cl"].result_list] == [PLAYBACK]
    assert "shown on 2026-11-22 from 20:00:00 to 20:05:00 UTC" in page.content.decode()
    assert shown(client, q="7M2K-Q9TD-04XC") == []


def test_who_watched_a_lesson_that_was_deleted_is_still_told(playing: None, root: User, lathe: Published) -> None:
    """Whoever got their money back and then put a recording somewhere else: the lesson may be gone by then."""
    deleted = lathe.lesson.pk
    do_delete_lesson(lathe.lesson)
    client = admin_of(root)
    assert set(shown(client)) == {PLAYBACK, OVER}
    assert shown(client, q="7M2K-Q9TD-04XB") == shown(client, q="alice") == [PLAYBACK]
    assert client.get(f"{PAGE}{PLAYBACK}/change/").status_code == 200
    (told,) = act(client, PAGE, "end_playback", PLAYBACK, reason="A copy ran in a bar")
    assert told.startswith(f"alice: a deleted lesson ({deleted}), since ")
    assert told.endswith(": ended.")


def test_a_code_is_an_ordinary_word_where_stream_gateway_knows_none(
    playing: None, root: User, committed_db: str
) -> None:
    with psycopg.connect(environment.database_address("stream_owner", committed_db)) as connection:
        connection.execute("DROP FUNCTION stream_published.watermark_owner")
    assert shown(admin_of(root), q="7M2K-Q9TD-04XB") == []


MANY = """
INSERT INTO stream.session
SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - n * 26000::bigint), 12, '0') || '70008000'
    || lpad(to_hex(n), 12, '0'))::uuid, %s, %s, %s, 'hls', now() - n * interval '26 s', now(),
    CASE WHEN n > 50 THEN now() END, CASE WHEN n > 50 THEN 'idle' END, '198.51.100.7', 'hls.js', n FROM generate_series(1, 100000) n
"""


def test_the_list_asks_little_of_a_hundred_thousand_sessions(
    playing: None, root: User, alice: User, lathe: Published, committed_db: str, django_assert_max_num_queries: Any
) -> None:
    with psycopg.connect(environment.database_address("stream_owner", committed_db)) as connection:
        connection.execute(MANY, [alice.pk, lathe.lesson.pk, lathe.package.pk])
        connection.execute("ANALYZE stream.session")
    client = admin_of(root)
    for query in (
        {},
        {"playing": "yes"},
        {"started": "1"},
        {"q": "alice"},
        {"q": "198.51.100.7"},
        {"q": str(alice.pk)},
    ):
        with django_assert_max_num_queries(12):
            assert len(shown(client, **query)) >= 50, query


def test_ending_a_playback_asks_stream_gateway(playing: None, root: User) -> None:
    client = admin_of(root)
    told = act(client, PAGE, "end_playback", PLAYBACK, OVER, reason="A copy ran in a bar")
    assert {sentence.rpartition(": ")[2] for sentence in told} == {"ended.", "it was over already."}
    assert shown(client, playing="yes") == []
    event = Event.objects.get(kind="playback_ended")
    assert (event.subject_type, event.detail["playback"]) == ("accounts.user", PLAYBACK)
    assert event.detail["reason"] == "A copy ran in a bar"


def test_who_may_only_look_cannot_end(playing: None, make_person) -> None:
    carol = make_person("carol", is_staff=True)
    carol.user_permissions.add(Permission.objects.get(codename="view_playbacksession"))
    client = Client()
    client.force_login(carol)
    client.post(PAGE, {"action": "end_playback", "_selected_action": [PLAYBACK]})
    assert shown(client, playing="yes") == [PLAYBACK]
