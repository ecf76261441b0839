"""Signed heads: what left the machine cannot be rewritten on it."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from books import heads
from books.tasks import export_wallet_heads
from tests import books, environment
from wallet.models import Wallet


@pytest.fixture
def kept(alice: User, bob: User, tmp_path: Path) -> Path:
    """A file of heads that was exported when alice had two postings and bob one."""
    for person, credits in ((alice, 10), (alice, 5), (bob, 7)):
        books.give(person, credits)
    call_command("export_wallet_heads", tmp_path)
    [file] = tmp_path.iterdir()
    return file


def test_the_file_holds_each_wallets_head(kept: Path, alice: User, bob: User) -> None:
    opening, *wallets, closing = map(json.loads, kept.read_text().splitlines())
    assert opening["format"] == "lectern-wallet-heads-1"
    assert closing["wallets"] == len(wallets) == 2
    for wallet in Wallet.objects.all():
        head = {"wallet": str(wallet.pk), "seq": wallet.head_seq, "balance": wallet.balance}
        assert head | {"hash": bytes(wallet.head_hash).hex()} in wallets


def test_a_ledger_that_went_on_still_has_its_past(kept: Path, alice: User) -> None:
    books.give(alice, 1)
    call_command("verify_wallet_heads", kept)
    call_command("verify_wallet_heads", kept, key=heads.public_key())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace('"balance":7', '"balance":8'),
        lambda text: "\n".join(text.splitlines()[:-2] + text.splitlines()[-1:]) + "\n",
        lambda text: "\n".join(text.splitlines()[:-1]) + "\n",
        lambda text: text.replace('"signature":"', '"signature":"AAAA'),
        lambda text: "",
        lambda text: "no JSON\n",
    ],
    ids=["other balance", "a line less", "unsigned", "other signature", "empty", "something else"],
)
def test_a_changed_file_is_refused(kept: Path, spoil) -> None:
    kept.write_text(spoil(kept.read_text()))
    with pytest.raises(CommandError, match="is not signed") as refusal:
        call_command("verify_wallet_heads", kept)
    assert refusal.value.returncode == 2


def test_a_file_signed_by_somebody_else_is_refused(kept: Path) -> None:
    with pytest.raises(CommandError, match="is not signed"):
        call_command("verify_wallet_heads", kept, key="A" * 43)


@pytest.mark.postgres
def test_a_superuser_who_rewrites_the_past_with_its_hashes_is_found(
    committed_db: str, alice: User, bob: User, tmp_path: Path
) -> None:
    """Reconciliation cannot see it: the chain is whole again. The file that was kept can."""
    books.give(alice, 10)
    call_command("export_wallet_heads", tmp_path)
    [file] = tmp_path.iterdir()
    with psycopg.connect(environment.database_address(None, committed_db), options="-c search_path=core") as superuser:
        superuser.execute("SET session_replication_role = replica")  # no triggers
        superuser.execute("DELETE FROM wallet_posting")
        superuser.execute("UPDATE wallet_wallet SET balance = 0, head_seq = 0, head_hash = ''")
    books.give(alice, 1_000)
    books.assert_books_are_right()
    with pytest.raises(CommandError, match="1 wallet does not have the past") as found:
        call_command("verify_wallet_heads", file)
    assert found.value.returncode == 1


def test_a_folder_that_cannot_be_made_is_a_sentence(kept: Path) -> None:
    with pytest.raises(CommandError, match="File exists"):
        call_command("export_wallet_heads", kept)


def test_the_nightly_job_writes_a_file(alice: User, settings, tmp_path: Path) -> None:
    settings.BOOKS_ROOT = tmp_path / "books"
    books.give(alice, 10)
    export_wallet_heads()
    [file] = settings.BOOKS_ROOT.iterdir()
    call_command("verify_wallet_heads", file)


def test_a_disk_that_is_full_leaves_no_half_file(alice: User, tmp_path: Path, monkeypatch) -> None:
    books.give(alice, 10)

    def no_space(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(heads.os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        heads.export(tmp_path)
    assert list(tmp_path.iterdir()) == []
