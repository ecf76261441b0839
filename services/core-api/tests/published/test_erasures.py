"""An erasure is a published fact: the gateways are told, and erase their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection

from accounts.models import User
from privacy.erasing import erase

pytestmark = pytest.mark.postgres


def test_the_gateways_are_told_and_the_row_stays(
    committed_db: str, heard: Callable[[], list[str]], alice: User
) -> None:
    erase(alice, alice, forfeit_credit=False)
    assert str(alice.pk) in heard()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT username, name, is_active, erased_at IS NOT NULL FROM published.principal WHERE user_id = %s",
            [alice.pk],
        )
        username, name, is_active, erased = cursor.fetchone()
    assert (username[:7], name, is_active, erased) == ("erased-", "", False, True)
