"""The proof in SQL and the proof in Python are one rule."""

from __future__ import annotations

import itertools
from uuid import UUID

import psycopg
import pytest

from accounts.models import User
from books import chains
from tests import books, environment
from wallet.ledger import wallet_id

OF_ONE = "WHERE wallet_id = %(wallet)s AND wallet_seq = 2"
TAMPERING = {
    "amount": f"UPDATE wallet_posting SET amount = 300 {OF_ONE}",
    "balance_after": f"UPDATE wallet_posting SET balance_after = 300 {OF_ONE}",
    "note": f"UPDATE wallet_posting SET note = E'two\nlines' {OF_ONE}",
    "time": f"UPDATE wallet_posting SET created_at = created_at + interval '1 microsecond' {OF_ONE}",
    "cause": f"UPDATE wallet_posting SET caused_by_id = %(user)s {OF_ONE}",
    "hash": f"UPDATE wallet_posting SET hash = sha256(hash) {OF_ONE}",
    "previous-hash": f"UPDATE wallet_posting SET previous_hash = sha256(hash) {OF_ONE}",
    "removed": f"DELETE FROM wallet_posting {OF_ONE}",
    "renumbered": "UPDATE wallet_posting SET wallet_seq = 9 WHERE wallet_id = %(wallet)s AND wallet_seq = 3",
    "first-removed": "DELETE FROM wallet_posting WHERE wallet_id = %(wallet)s AND wallet_seq = 1",
    "last-removed": "DELETE FROM wallet_posting WHERE wallet_id = %(wallet)s AND wallet_seq = 3",
    "balance": "UPDATE wallet_wallet SET balance = balance + 1 WHERE account_id = %(wallet)s",
    "head": "UPDATE wallet_wallet SET head_hash = sha256(head_hash) WHERE account_id = %(wallet)s",
    "head-number": "UPDATE wallet_wallet SET head_seq = head_seq - 1 WHERE account_id = %(wallet)s",
    "head-number-above": "UPDATE wallet_wallet SET head_seq = head_seq + 1 WHERE account_id = %(wallet)s",
}


@pytest.mark.postgres
@pytest.mark.spoils_the_books
def test_both_name_the_same_breaks_whatever_was_tampered_with(
    committed_db: str, make_person, monkeypatch: pytest.MonkeyPatch
) -> None:
    people: dict[str, User] = {name: make_person(name) for name in [*TAMPERING, "untouched"]}
    for person in people.values():
        for credits in (10, 20, 30):
            books.give(person, credits)
    address = environment.database_address(None, committed_db)
    with psycopg.connect(address, options="-c search_path=core") as superuser:
        superuser.execute("SET session_replication_role = replica")
        for name, statement in TAMPERING.items():
            of = {"wallet": wallet_id(people[name].pk), "user": people[name].pk}
            assert superuser.execute(statement, of).rowcount == 1, name

    in_python = sorted(chains._proof(chains._chains(), lambda _checked: None))
    monkeypatch.setattr(chains, "SLICE", 3)  # several queries
    checked: list[int] = []
    assert sorted(chains.differences(checked.append)) == in_python
    assert checked[-1] == 3 * len(people) - 3  # were removed
    named = {name for name, person in people.items() if any(str(wallet_id(person.pk)) in line for line in in_python)}
    assert named == set(TAMPERING)


@pytest.mark.parametrize("postings", [0, 1, chains.SLICE - 1, chains.SLICE, chains.SLICE + 1, 100 * chains.SLICE])
def test_slices_cover_every_id_once(postings: int) -> None:
    ranges = list(chains.slices(postings))
    assert (len(ranges) - 1) * chains.SLICE < max(1, postings) <= len(ranges) * chains.SLICE
    assert ranges[0][0] == UUID(int=0)
    assert ranges[-1][1] == UUID(int=2**128 - 1)
    assert all(last.int + 1 == first.int for (_, last), (first, _) in itertools.pairwise(ranges))
