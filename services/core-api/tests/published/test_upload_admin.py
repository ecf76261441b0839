"""Uploads in the admin site, over what stream-gateway publishes."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import psycopg
import pytest
from django.test import Client

from accounts.models import User
from tests import environment
from tests.accounts.test_admin_site import admin_of

pytestmark = pytest.mark.postgres

PAGE = "/admin/published/upload/"
COMING, WHOLE, TAKEN = (f"018f0000-0000-7000-8000-00000000000{number}" for number in (1, 2, 3))
# As deploy/contracts.md has it. stream-gateway's own tests hold the real one to the same page.
STREAM = """
CREATE TABLE stream.upload (id uuid PRIMARY KEY, owner uuid, size bigint, finished_at timestamptz, taken_at timestamptz,
    created_at timestamptz DEFAULT now(), metadata text);
CREATE VIEW stream_published.upload AS SELECT * FROM stream.upload;
GRANT SELECT ON stream_published.upload TO lectern_core;
"""
MANY = """
INSERT INTO stream.upload
SELECT ('018f0000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, %s, n, now(), NULL, now(), ''
  FROM generate_series(1, 20000) n
"""


@pytest.fixture
def uploads(committed_db: str, ines: User, alice: User) -> None:
    name = f"filename {b64encode('Grüße <b>.mp4'.encode()).decode()},relativePath"
    with psycopg.connect(environment.database_address("stream_owner", committed_db)) as connection:
        connection.execute(STREAM)
        for number, owner, finished, taken in (
            (COMING, ines, None, None),
            (WHOLE, alice, "now", None),
            (TAKEN, ines, "now", "now"),
        ):
            connection.execute(
                "INSERT INTO stream.upload (id, owner, size, finished_at, taken_at, metadata) VALUES (%s, %s, %s, %s, %s, %s)",
                [number, owner.pk, 3 * 2**30, finished, taken, name],
            )


def shown(client: Client, **query: str) -> list[str]:
    return [str(row.pk) for row in client.get(PAGE, query).context["cl"].result_list]


def test_the_page_says_what_is_missing_where_stream_gateway_is(committed_db: str, root: User) -> None:
    answer = admin_of(root).get(PAGE, follow=True)
    assert answer.redirect_chain == [("/admin/", 302)]
    assert "has published no uploads yet" in answer.content.decode()


def test_uploads_are_listed_with_who_what_and_how_far(
    uploads: None, root: User, ines: User, committed_db: str, django_assert_max_num_queries: Any
) -> None:
    client = admin_of(root)
    with django_assert_max_num_queries(12):
        page = client.get(PAGE).content.decode()
    for text in (
        "ines",
        "alice",
        "Grüße &lt;b&gt;.mp4",
        "3.0\xa0GB",
        "coming",
        "whole, in no lesson",
        "a lesson&#x27;s video",
    ):
        assert text in page, text
    assert shown(client) == [TAKEN, WHOLE, COMING]
    assert [shown(client, state=state) for state in ("coming", "whole", "taken")] == [[COMING], [WHOLE], [TAKEN]]
    assert shown(client, q="alice") == shown(client, q=WHOLE) == [WHOLE]
    assert shown(client, q=str(ines.pk)) == [TAKEN, COMING]
    with django_assert_max_num_queries(12):
        one = client.get(f"{PAGE}{COMING}/change/").content.decode()
    assert "Grüße" in one
    assert client.get(f"{PAGE}add/").status_code == client.get(f"{PAGE}{COMING}/delete/").status_code == 403


def test_it_is_for_course_managers_and_admins(uploads: None, make_person: Any) -> None:
    page = {role: make_person(role.replace("_", ""), role, is_staff=True) for role in ("course_manager", "instructor")}
    assert admin_of(page["course_manager"]).get(PAGE).status_code == 200
    assert admin_of(page["instructor"]).get(PAGE).status_code == 403


def test_the_list_asks_little_of_twenty_thousand_uploads(
    uploads: None, root: User, alice: User, committed_db: str, django_assert_max_num_queries: Any
) -> None:
    with psycopg.connect(environment.database_address("stream_owner", committed_db)) as connection:
        connection.execute(MANY, [alice.pk])
    client = admin_of(root)
    for query in ({}, {"q": "alice"}, {"state": "whole"}):
        with django_assert_max_num_queries(12):
            assert len(shown(client, **query)) == 50, query
