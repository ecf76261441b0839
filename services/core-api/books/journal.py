"""The journal (every posting) and a person's statement, as CSV (RFC 4180), row by row in bounded memory."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from accounts.models import User
from books.snapshot import one_snapshot
from wallet.ledger import wallet_id
from wallet.models import Posting

CHUNK = 2_000  # postings held in memory at once
JOURNAL = {  # the column: where its value is
    "time": "created_at",
    "posting": "id",
    "kind": "kind",
    "debit": "debit__code",
    "credit": "credit__code",
    "amount": "amount",
    "wallet_number": "wallet_seq",
    "balance_after": "balance_after",
    "order": "order_id",
    "order_line": "order_line_id",
    "topup": "topup_id",
    "caused_by": "caused_by_id",
    "note": "note",
    "hash": "hash",
}
STATEMENT = ("number", "time", "kind", "amount", "balance", "order", "note", "posting")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would take for one (OWASP, CSV injection)


class Period(NamedTuple):
    """From `start` (included) to `end` (not included); None: without a limit."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self) -> Q:
        condition = Q()
        if self.start is not None:
            condition &= Q(created_at__gte=self.start)
        if self.end is not None:
            condition &= Q(created_at__lt=self.end)
        return condition


def journal(period: Period) -> Iterator[str]:
    """The journal's lines: a heading, then all postings of the period, oldest first."""
    with one_snapshot():
        postings = Posting.objects.filter(period.holds()).order_by("created_at", "id").values_list(*JOURNAL.values())
        yield from _csv(JOURNAL, postings.iterator(chunk_size=CHUNK))


def statement(user: User, period: Period) -> Iterator[str]:
    """A person's movements of the period, oldest first, between the balances at its beginning and its end.

    `amount` is negative where credit left the wallet.
    """
    with one_snapshot():
        mine = Posting.objects.filter(wallet=wallet_id(user.pk)).order_by("wallet_seq")
        yield from _csv(STATEMENT, _movements(mine, period))


def _movements(mine: QuerySet[Posting], period: Period) -> Iterator[tuple[Any, ...]]:
    before = mine.filter(created_at__lt=period.start).last() if period.start else None
    balance = before.balance_after if before else 0
    yield ("", period.start, "opening balance", "", balance, "", "", "")
    fields = ("wallet_seq", "created_at", "kind", "balance_after", "order_id", "note", "id")
    rows = mine.filter(period.holds()).values_list(*fields).iterator(chunk_size=CHUNK)
    for number, time, kind, after, order, note, posting in rows:
        yield (number, time, kind, after - balance, after, order, note, posting)
        balance = after
    yield ("", period.end, "closing balance", "", balance, "", "", "")


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def _csv(heading: Iterable[str], rows: Iterator[tuple[Any, ...]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(heading)
    for row in rows:
        yield writer.writerow([_text(value) for value in row])


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        case bytes() | memoryview():
            return bytes(value).hex()
        case str() if value.startswith(FORMULA):
            return f"'{value}"
        case _:
            return str(value)
