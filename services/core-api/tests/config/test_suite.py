"""The suite's own promises."""

from __future__ import annotations

import pytest
from django.db import connection

from accounts.models import User


@pytest.mark.postgres
def test_tests_run_as_the_role_that_owns_nothing(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("lectern_core",)


def test_a_test_with_a_database_of_its_own_may_commit(committed_db: str, alice: User, at_once) -> None:
    names = at_once(2, lambda _number: User.objects.get().username)
    assert names == ["alice", "alice"]
