"""An erasure is a published fact: the gateways are told, and erase their own."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from accounts.models import User
from privacy.erasing import erase
from tests import environment

pytestmark = pytest.mark.postgres


def test_the_gateways_are_told_and_the_row_stays(
    committed_db: str, heard: Callable[[], list[str]], alice: User
) -> None:
    erase(alice, alice, forfeit_credit=False)
    assert str(alice.pk) in heard()
    with psycopg.connect(environment.database_address("stream", committed_db)) as gateway:
        row = gateway.execute(
            "SELECT name, is_active, erased_at IS NOT NULL, left(username, 7) FROM published.principal WHERE user_id = %s",
            [alice.pk],
        ).fetchone()
    assert row == ("", False, True, "erased-")
