"""The journal, statements and the trial balance; and the nightly proof."""

from __future__ import annotations

import csv
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from books.actions import TOLD
from books.models import Reconciliation
from books.tasks import reconcile_wallets
from mail.models import Mail
from tests import books
from tests.conftest import Api
from wallet.models import Posting, Wallet

STATEMENT = "/api/v1/wallet/statement/"
JOURNAL = "/api/v1/books/journal/"


def rows(response) -> list[dict[str, str]]:
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(b"".join(response.streaming_content).decode().splitlines()))


@pytest.fixture
def movements(api: Api, alice: User, bob: User) -> None:
    books.course("knots", price=40)
    books.give(alice, 100)
    books.give(bob, 5)
    assert books.buy(api.as_(alice)).status_code == 201


def test_a_statement_leads_from_the_opening_to_the_closing_balance(api: Api, alice: User, movements: None) -> None:
    lines = rows(api.as_(alice).get(STATEMENT, headers={"Accept": "text/csv"}))
    told = [(line["kind"], line["amount"], line["balance"]) for line in lines]
    assert told == [
        ("opening balance", "", "0"),
        ("adjustment", "100", "100"),
        ("purchase", "-40", "60"),
        ("closing balance", "", "60"),
    ]


def test_a_statement_of_a_period_opens_with_the_balance_before_it(api: Api, alice: User, movements: None) -> None:
    now = timezone.now()
    moved = Posting.objects.get(kind="purchase").created_at
    lines = rows(api.as_(alice).get(STATEMENT, {"start": moved.isoformat(), "end": now.isoformat()}))
    assert [(line["kind"], line["balance"]) for line in lines] == [
        ("opening balance", "100"),
        ("purchase", "60"),
        ("closing balance", "60"),
    ]
    later = rows(api.as_(alice).get(STATEMENT, {"start": (now + timedelta(days=1)).isoformat()}))
    assert [line["balance"] for line in later] == ["60", "60"]


def test_finance_reads_anybodys_statement_and_others_do_not(api: Api, alice: User, bob: User, fiona: User) -> None:
    books.give(alice, 3)
    url = f"/api/v1/wallets/{alice.pk}/statement/"
    assert rows(api.as_(fiona).get(url))[-1]["balance"] == "3"
    assert api.as_(bob).get(url).status_code == 403
    assert api.get(url).status_code == 401
    assert api.as_(fiona).get(f"/api/v1/wallets/{Wallet.objects.get().pk}/statement/").status_code == 404


def test_the_journal_holds_every_posting_of_the_period(api: Api, fiona: User, movements: None) -> None:
    lines = rows(api.as_(fiona).get(JOURNAL, {"start": timezone.now().date().isoformat()}))
    assert [line["kind"] for line in lines] == ["adjustment", "adjustment", "purchase"]
    posting = Posting.objects.get(kind="purchase")
    assert (
        lines[-1]
        | {
            "posting": str(posting.pk),
            "debit": posting.debit.code,
            "credit": "revenue",
            "amount": "40",
            "order": str(posting.order_id),
            "hash": bytes(posting.hash).hex(),
        }
        == lines[-1]
    )
    tomorrow = (timezone.now() + timedelta(days=1)).date().isoformat()
    assert rows(api.as_(fiona).get(JOURNAL, {"start": tomorrow})) == []


def test_a_note_is_no_formula_of_a_spreadsheet(api: Api, alice: User, fiona: User) -> None:
    books.give(alice, 3)
    answer = api.as_(fiona).post(
        f"/api/v1/wallets/{alice.pk}/adjust/",
        {"amount": 2, "reason": '=HYPERLINK("https://evil.example")'},
        headers={"Idempotency-Key": books.new_key()},
    )
    assert answer.status_code == 200, answer.content
    assert rows(api.as_(fiona).get(JOURNAL))[-1]["note"].startswith("'=")


@pytest.mark.parametrize("period", [{"start": "soon"}, {"start": "2026-11-02", "end": "2026-11-01"}])
def test_a_period_that_is_none_is_refused(api: Api, alice: User, period: dict[str, str]) -> None:
    answer = api.as_(alice).get(STATEMENT, period)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_the_trial_balance_has_two_equal_columns(api: Api, fiona: User, movements: None) -> None:
    lines = {line["account"]: line for line in api.as_(fiona).get("/api/v1/books/trial-balance/").json()}
    assert lines["adjustment"]["balance"] == -105
    assert lines["revenue"]["balance"] == 40
    assert lines["wallets (all people)"]["balance"] == 65
    assert (lines["sum"]["debit"], lines["sum"]["credit"]) == (145, 145)


def test_the_books_in_the_admin_site(client, root: User, ines: User, movements: None) -> None:
    client.force_login(root)
    page = client.get("/admin/books/reconciliation/trial-balance/")
    assert "wallets (all people)" in page.content.decode()
    assert "no period" in client.get("/admin/books/reconciliation/journal/", {"start": "soon"}).content.decode()
    assert len(rows(client.get("/admin/books/reconciliation/journal/", {"start": "2020-01-01", "end": ""}))) == 3
    client.force_login(ines)
    assert client.get("/admin/books/reconciliation/trial-balance/").status_code == 403
    assert client.get("/admin/books/reconciliation/journal/").status_code == 403


def test_a_night_without_differences_is_noted_and_nobody_alerted(root: User, movements: None) -> None:
    reconcile_wallets()
    run = Reconciliation.objects.get()
    assert (run.postings, run.differences, run.sentences) == (3, 0, [])
    assert not Mail.objects.exists()


def test_differences_alert_the_admins(root: User, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [f"Wallet {number}: its head is not the hash of its last posting." for number in range(TOLD + 1)]
    monkeypatch.setattr("books.actions.differences", lambda progress: iter(found))
    reconcile_wallets()
    run = Reconciliation.objects.get()
    assert (run.differences, run.sentences) == (TOLD + 1, found[:TOLD])
    mail = Mail.objects.get()
    assert (mail.user, mail.kind) == (root, "books_differ")
    assert found[0] in mail.text
    assert "and 1 more" in mail.text
