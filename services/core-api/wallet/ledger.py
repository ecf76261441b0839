"""The ledger: wallets, and postings chained by hashes.

A posting's hash is SHA-256 over its canonical form: UTF-8, the line `lectern-posting-1`, then the fields of HASHED in
that order, one a line. Ids are lower-case UUIDs with hyphens, numbers are decimal, hashes are lower-case hexadecimal,
times are UTC as `YYYY-MM-DDTHH:MM:SS.ffffff`, what is absent is an empty line. The note comes last, since it alone may hold
line breaks. `previous_hash` is the hash of the same wallet's posting before; the first posting's is empty.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypedDict, Unpack

from django.db.models import QuerySet

from accounts.models import User
from config.compiled import Parameter, compiled, compiled_update, insert
from payments.models import TopUp
from wallet.accounts import account_id
from wallet.models import Account, Order, OrderLine, Posting, Wallet

VERSION = b"lectern-posting-1"
HASHED = (
    *("wallet_id", "wallet_seq", "previous_hash", "id", "kind", "debit_id", "credit_id", "amount", "balance_after"),
    *("order_id", "order_line_id", "topup_id", "caused_by_id", "created_at", "note"),
)


class Reason(TypedDict, total=False):
    """What a posting is for."""

    order: Order
    order_line: OrderLine
    topup: TopUp
    note: str


def canonical_hash(values: Sequence[object]) -> bytes:
    """The hash of a posting whose fields HASHED have these values."""
    return hashlib.sha256(b"\n".join([VERSION, *(_text(value).encode() for value in values)])).digest()


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bytes() | memoryview():
            return bytes(value).hex()
        case datetime():
            return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
        case _:
            return str(value)


def wallet_id(user_id: uuid.UUID) -> uuid.UUID:
    return account_id(f"wallet:{user_id}")


def lock_wallet(user: User) -> Wallet:
    """The person's wallet, made on first use, locked until the transaction ends. Raises Busy through money_transaction."""
    mine = wallet_id(user.pk)
    found = _locked(id=mine)
    if not found:
        _do_open_wallet(user)
        found = _locked(id=mine)
    return found[0]


def lock_wallet_by_id(wallet: uuid.UUID) -> Wallet:
    """A wallet that exists, locked until the transaction ends."""
    return _locked(id=wallet)[0]


@compiled
def _locked() -> QuerySet[Wallet]:
    return Wallet.objects.select_for_update(no_key=True).filter(pk=Parameter("id"))


def _do_open_wallet(user: User) -> None:
    """Two first uses at once make the same rows: the second one's inserts wait for the first one and then do nothing."""
    code = f"wallet:{user.pk}"
    account = Account(id=account_id(code), code=code, kind=Account.Kind.WALLET)
    Account.objects.bulk_create([account], ignore_conflicts=True)
    Wallet.objects.bulk_create([Wallet(account=account, user=user)], ignore_conflicts=True)


def do_post(
    wallet: Wallet,
    change: int,
    other: str,
    kind: Posting.Kind,
    caused_by: User | None,
    promotional: int = 0,
    **reason: Unpack[Reason],
) -> Posting:
    """Moves `change` credits (negative: out of the wallet) between a locked wallet and the system account with code `other`.

    `promotional` of them go into lots (negative: come out of them); wallet.lots writes which. Keeps `wallet` itself up to
    date. The database refuses a balance below zero.
    """
    debit, credit = (account_id(other), wallet.pk) if change > 0 else (wallet.pk, account_id(other))
    posting = Posting(
        debit_id=debit,
        credit_id=credit,
        amount=abs(change),
        kind=kind,
        caused_by=caused_by,
        wallet=wallet,
        wallet_seq=wallet.head_seq + 1,
        balance_after=wallet.balance + change,
        previous_hash=bytes(wallet.head_hash),
        **reason,
    )
    posting.hash = canonical_hash([getattr(posting, name) for name in HASHED])
    insert(posting)
    _do_move_head(wallet, posting, promotional)
    return posting


def do_post_between(
    debit: str, credit: str, amount: int, kind: Posting.Kind, caused_by: User | None, **reason: Unpack[Reason]
) -> Posting:
    """Moves credits from one system account to another, by their codes. No wallet is touched, so none has it in its chain."""
    accounts = {"debit_id": account_id(debit), "credit_id": account_id(credit)}
    return Posting.objects.create(**accounts, amount=amount, kind=kind, caused_by=caused_by, **reason)


def _do_move_head(wallet: Wallet, posting: Posting, promotional: int) -> None:
    head = {"balance": posting.balance_after, "head_seq": posting.wallet_seq, "head_hash": posting.hash}
    if promotional:  # left out else: naming the column has the database add up the lots
        head["promotional"] = wallet.promotional + promotional
    move = _move_head_and_lots if promotional else _move_head
    if move(id=wallet.pk, was=wallet.head_seq, **head) != 1:
        raise RuntimeError(f"Wallet {wallet.pk} was moved without its lock.")  # else one balance could pay twice
    for name, value in head.items():
        setattr(wallet, name, value)


_HEAD = {name: Parameter(name) for name in ("balance", "head_seq", "head_hash")}


@compiled_update
def _move_head() -> tuple[QuerySet[Wallet], dict[str, Parameter]]:
    return Wallet.objects.filter(pk=Parameter("id"), head_seq=Parameter("was")), _HEAD


@compiled_update
def _move_head_and_lots() -> tuple[QuerySet[Wallet], dict[str, Parameter]]:
    with_lots = _HEAD | {"promotional": Parameter("promotional")}
    return Wallet.objects.filter(pk=Parameter("id"), head_seq=Parameter("was")), with_lots
