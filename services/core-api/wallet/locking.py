"""The transaction in which credit moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, transaction
from psycopg import errors as postgres

from wallet.errors import Busy


@contextmanager
def money_transaction() -> Iterator[None]:
    """One transaction, READ COMMITTED. The order of locks in it: the request's key, the wallet's row, everything else.

    Raises Busy where a lock was not to be had within `lock_timeout` (2 s), or PostgreSQL broke a deadlock: nothing is
    written then.
    """
    try:
        with transaction.atomic():
            yield
    except OperationalError as error:
        if _lost_to_another(error):
            raise Busy from error
        raise


def _lost_to_another(error: OperationalError) -> bool:
    on_postgres = isinstance(error.__cause__, postgres.LockNotAvailable | postgres.DeadlockDetected)
    return on_postgres or "database is locked" in str(error)
