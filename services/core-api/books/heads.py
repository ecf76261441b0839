"""Signed wallet heads: what an operator keeps elsewhere, so that nobody can rewrite the past unseen.

A hash chain shows that somebody changed a posting and forgot the hashes after it. Whoever can write to the database can
compute those anew; what they cannot change is a file that left the machine before.

The file is JSON lines in UTF-8, each compact and ending with a line feed:

    {"format":"lectern-wallet-heads-1","at":"2026-11-22T04:07:00Z"}
    {"wallet":"<uuid>","seq":12,"balance":340,"hash":"<64 hexadecimal digits>"}      one a wallet that has postings, by id
    {"wallets":1,"key":"<public key>","signature":"<signature>"}

The signature is Ed25519 (RFC 8032) over `lectern-wallet-heads-1`, a line feed and the 32 bytes of SHA-256 over all lines
before the last. Key and signature are base64url without padding.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.db.models import Q
from django.utils import timezone

from books.models import HeadsKey
from config.sealing import seal, unseal
from wallet.models import Posting, Wallet

FORMAT = "lectern-wallet-heads-1"
PURPOSE = "wallet heads key"
CHUNK = 2_000  # wallets held in memory at once
ASKED_AT_ONCE = 200  # postings a query


class HeadsUnusable(Exception):
    """The file is not a whole, signed export of heads."""


class Head(NamedTuple):
    wallet: str
    seq: int
    balance: int
    hash: str


def export(folder: Path) -> Path:
    """Writes today's heads into `folder` as heads-<time>.jsonl and gives its path: whole and on the disk, or not at all.

    Run it in one snapshot (REPEATABLE READ), so that the heads are those of one moment.
    """
    now = timezone.now()
    name = f"heads-{now:%Y%m%dT%H%M%SZ}.jsonl"
    aside = folder / f".{name}.{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with aside.open("xb") as file:
            for line in signed(_heads(), f"{now:%Y-%m-%dT%H:%M:%SZ}"):
                file.write(line)
            file.flush()
            os.fsync(file.fileno())
        return aside.rename(folder / name)
    finally:
        aside.unlink(missing_ok=True)


def signed(heads: Iterable[Head], at: str) -> Iterator[bytes]:
    """The lines of a file."""
    digest = hashlib.sha256()
    count = 0
    yield _told(digest, {"format": FORMAT, "at": at})
    for head in heads:
        count += 1
        yield _told(digest, head._asdict())
    key = signing_key()
    signature = key.sign(_signed_text(digest.digest()))
    yield _line(
        {"wallets": count, "key": _base64(key.public_key().public_bytes_raw()), "signature": _base64(signature)}
    )


def differences(file: Path, public_key: str) -> Iterator[str]:
    """Each head of `file` that the ledger no longer has, as a sentence. Raises HeadsUnusable before the first one.

    `public_key` is the one that the operator keeps, or this installation's own.
    """
    check_signature(file, public_key)
    with file.open("rb") as lines:
        next(lines)
        chunk: list[Head] = []
        for line in lines:
            values = json.loads(line)
            if "wallet" in values:
                chunk.append(Head(**values))
            if len(chunk) == ASKED_AT_ONCE:
                yield from _missing(chunk)
                chunk = []
        yield from _missing(chunk)


def check_signature(file: Path, public_key: str) -> None:
    """Raises HeadsUnusable unless `file` is whole and signed with that key."""
    digest, last, count = hashlib.sha256(), b"", -1  # the first line is no wallet's
    with file.open("rb") as lines:
        for line in lines:
            if last:
                digest.update(last)
                count += 1
            last = line
    try:
        closing = json.loads(last)
        signature = _bytes(closing["signature"])
        Ed25519PublicKey.from_public_bytes(_bytes(public_key)).verify(signature, _signed_text(digest.digest()))
        whole = closing["wallets"] == count
    except (ValueError, KeyError, TypeError, InvalidSignature) as error:
        raise HeadsUnusable(f"{file.name} is not signed with the key {public_key}, or not whole.") from error
    if not whole:
        raise HeadsUnusable(f"{file.name} does not hold as many wallets as it says.")


def signing_key() -> Ed25519PrivateKey:
    """This installation's key; made on first use. Raises config.sealing.Unreadable."""
    row = HeadsKey.objects.order_by("created_at").first()
    if row is None:
        key = Ed25519PrivateKey.generate()
        public = _base64(key.public_key().public_bytes_raw())
        HeadsKey.objects.create(public=public, private_sealed=seal(PURPOSE, key.private_bytes_raw()))
        return key
    return Ed25519PrivateKey.from_private_bytes(unseal(PURPOSE, bytes(row.private_sealed)))


def public_key() -> str:
    return _base64(signing_key().public_key().public_bytes_raw())


def _heads() -> Iterator[Head]:
    fields = ("account_id", "head_seq", "balance", "head_hash")
    rows = Wallet.objects.filter(head_seq__gt=0).order_by("account_id").values_list(*fields)
    for wallet, seq, balance, head in rows.iterator(chunk_size=CHUNK):
        yield Head(str(wallet), seq, balance, bytes(head).hex())


def _missing(heads: list[Head]) -> Iterator[str]:
    if not heads:
        return
    wanted = Q()
    for head in heads:
        wanted |= Q(wallet_id=head.wallet, wallet_seq=head.seq)
    rows = Posting.objects.filter(wanted).values_list("wallet_id", "wallet_seq", "balance_after", "hash")
    there = {(str(wallet), seq, balance, bytes(hashed or b"").hex()) for wallet, seq, balance, hashed in rows}
    for head in heads:
        if head not in there:
            yield f"Wallet {head.wallet}: its posting number {head.seq} is not the one that was signed."


def _told(digest: Any, values: dict[str, Any]) -> bytes:
    line = _line(values)
    digest.update(line)
    return line


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


def _signed_text(digest: bytes) -> bytes:
    return FORMAT.encode() + b"\n" + digest


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
