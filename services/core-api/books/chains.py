"""The wallets' chains of postings, checked link by link.

There are two proofs of one rule. The one in Python is the definition: it recomputes a wallet's numbers, balances and hashes
and names what is wrong. The one in SQL says only which wallets the first should look at: PostgreSQL recomputes the
same in place, many times as fast, and a test holds the two together on tampered ledgers. On SQLite the first does it all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby, pairwise
from math import ceil
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet, Sum

from wallet.ledger import HASHED, VERSION, canonical_hash
from wallet.models import Posting, Wallet

CHUNK = 5_000  # postings held in memory at once
SLICE = 500_000  # postings that one query looks at, about (ids are evenly spread): each slice costs two readings of the table
# PostgreSQL does not know what a hash costs: that several processors are worth it. What they share of a slice (60 MB) lies in
# /dev/shm, 256 MB in the stack; a hash takes up to six times work_mem there before it goes to disk.
SETTINGS = {"parallel_setup_cost": "0", "parallel_tuple_cost": "0", "work_mem": "32MB"}
_HEAD = ("wallet__balance", "wallet__head_seq", "wallet__head_hash")
_CHAIN = (*HASHED, "hash", *_HEAD)
_WALLET = itemgetter(_CHAIN.index("wallet_id"))

# What ledger.canonical_hash hashes, written by PostgreSQL: the version and the fields HASHED, one a line.
_AS_TEXT = {
    "previous_hash": "encode(previous_hash, 'hex')",
    "created_at": """to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')""",
    **{name: f"coalesce({name}::text, '')" for name in ("order_id", "order_line_id", "topup_id", "caused_by_id")},
}
_CANONICAL = ", ".join(["%(version)s", *(_AS_TEXT.get(name, name) for name in HASHED)])

# The wallets of a slice with a posting that is not what it should be after the one before it, or with a number of postings,
# or a last one, that does not fit their own row; and, without a wallet, how many postings are right. Each posting is put
# beside the one before it, although a window over each wallet's would do: all processors join, but one alone sorts. The
# functions are named with their schema, so that nobody can slip others in.
SUSPECTS = f"""
SELECT suspect, count(*) FROM (
    SELECT CASE WHEN hash <> pg_catalog.sha256(
                    pg_catalog.convert_to(pg_catalog.concat_ws(E'\\n', {_CANONICAL}), 'UTF8'))
                  OR previous_hash <> coalesce(hash_before, '')
                  OR balance_after <> coalesce(balance_before, 0) + CASE WHEN credit_id = wallet_id THEN amount ELSE -amount END
                  OR (hash_before IS NULL AND wallet_seq <> 1)
                THEN wallet_id END AS suspect
      FROM wallet_posting
      LEFT JOIN (SELECT wallet_id AS its_wallet, wallet_seq AS seq_before, hash AS hash_before,
                        balance_after AS balance_before
                   FROM wallet_posting WHERE wallet_id BETWEEN %(first)s AND %(last)s) before
        ON its_wallet = wallet_id AND seq_before = wallet_seq - 1
     WHERE wallet_id BETWEEN %(first)s AND %(last)s) each
 GROUP BY suspect
 UNION ALL
SELECT account_id, 0
  FROM wallet_wallet
  JOIN (SELECT wallet_id, count(*) AS postings FROM wallet_posting
         WHERE wallet_id BETWEEN %(first)s AND %(last)s GROUP BY wallet_id) counted ON wallet_id = account_id
 WHERE head_seq <> postings OR NOT EXISTS (
       SELECT FROM wallet_posting head
        WHERE head.wallet_id = account_id AND wallet_seq = head_seq AND balance_after = balance AND hash = head_hash)
"""  # noqa: S608  made of names above, no values


def differences(progress: Callable[[int], None]) -> Iterator[str]:
    """Each break of a chain as a sentence, within the caller's transaction. `progress` hears how many postings were checked."""
    if connection.vendor != "postgresql":
        yield from _proof(_chains(), progress)
        return
    _use_all_processors()
    checked = 0
    for first, last in slices(Wallet.objects.aggregate(postings=Sum("head_seq"))["postings"] or 0):
        postings = _screen(first, last)
        for wallet in filter(None, postings):
            yield from _named(wallet)
        checked += postings.total()
        progress(checked)


def _use_all_processors() -> None:
    """Until the transaction ends."""
    with connection.cursor() as cursor:
        for name, value in SETTINGS.items():
            cursor.execute("SELECT pg_catalog.set_config(%s, %s, true)", [name, value])


def slices(postings: int) -> Iterator[tuple[UUID, UUID]]:
    """All possible ids of wallets in ranges, first and last included, of about SLICE of so many postings."""
    number = max(1, ceil(postings / SLICE))
    bounds = [n * 2**128 // number for n in range(number + 1)]
    for first, beyond in pairwise(bounds):
        yield UUID(int=first), UUID(int=beyond - 1)


def _screen(first: UUID, last: UUID) -> Counter[UUID | None]:
    """The postings of the wallets from `first` to `last`: how many PostgreSQL finds wrong by wallet, and right (None)."""
    found: Counter[UUID | None] = Counter()
    with connection.cursor() as cursor:
        cursor.execute(SUSPECTS, {"first": first, "last": last, "version": VERSION.decode()})
        for wallet, postings in cursor:
            found[wallet] += postings
    return found


def _named(wallet: UUID) -> Iterator[str]:
    """What is wrong with a wallet that PostgreSQL finds wrong."""
    named = list(_proof(_chains().filter(wallet_id=wallet), lambda _checked: None))
    yield from named or [f"Wallet {wallet}: PostgreSQL finds its chain broken, though each link by itself fits."]


def _chains() -> QuerySet[Posting, tuple[Any, ...]]:
    return Posting.objects.filter(wallet__isnull=False).order_by("wallet_id", "wallet_seq").values_list(*_CHAIN)


def _proof(postings: QuerySet[Posting, tuple[Any, ...]], progress: Callable[[int], None]) -> Iterator[str]:
    rows = _counted(postings.iterator(chunk_size=CHUNK), progress)
    for wallet, chain in groupby(rows, key=_WALLET):
        for problem in _problems(chain):
            yield f"Wallet {wallet}: {problem}"


def _counted(rows: Iterator[Any], progress: Callable[[int], None]) -> Iterator[Any]:
    checked = 0
    for checked, row in enumerate(rows, start=1):
        if checked % CHUNK == 0:
            progress(checked)
        yield row
    progress(checked)


def _problems(postings: Iterator[tuple[Any, ...]]) -> Iterator[str]:
    balance, seq, head = 0, 0, b""
    row: dict[str, Any] = {}
    for values in postings:
        row = dict(zip(_CHAIN, values, strict=True))
        name = f"posting {row['id']} (number {row['wallet_seq']})"
        seq += 1
        balance += row["amount"] if row["credit_id"] == row["wallet_id"] else -row["amount"]
        if row["wallet_seq"] != seq:
            yield f"{name} follows number {seq - 1}: one is missing."
            seq = row["wallet_seq"]
        if row["balance_after"] != balance:
            yield f"{name} says that the balance after it is {row['balance_after']}; it is {balance}."
            balance = row["balance_after"]  # named once, not again by each posting after it
        if bytes(row["previous_hash"]) != head:
            yield f"{name} is not chained to the posting before it."
        head = bytes(row["hash"])
        if canonical_hash(values[: len(HASHED)]) != head:
            yield f"{name} was changed: its hash does not fit it."
    if (row["wallet__balance"], row["wallet__head_seq"]) != (balance, seq):
        holds, at = row["wallet__balance"], row["wallet__head_seq"]
        yield f"the balance is {holds} at number {at}; its postings say {balance} at number {seq}."
    if bytes(row["wallet__head_hash"]) != head:
        yield "its head is not the hash of its last posting."
