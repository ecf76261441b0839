"""`manage.py reconcile_wallets` finds whatever was done to the books behind the service's back."""

from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command

from learning.models import Enrolment
from tests import books, environment
from wallet.models import Order, Posting, Wallet


def reconcile():
    output = StringIO()
    try:
        call_command("reconcile_wallets", stdout=output)
    except CommandError as error:
        return error.returncode, output.getvalue()
    return 0, output.getvalue()


@pytest.fixture
def history(api, alice, root):
    """Credit, two purchases, a refund."""
    books.give(alice, 100)
    for slug in ("knots", "sails"):
        books.course(slug, price=30)
        order = books.buy(api.as_(alice), slug).json()["id"]
    key = {"Idempotency-Key": books.new_key()}
    api.as_(root).post(f"/api/v1/orders/{order}/refund/", {"reason": "x"}, headers=key)


def test_books_that_are_right(history):
    assert reconcile() == (0, "Every balance is the sum of its postings, and every chain is whole.\n")


@pytest.mark.spoils_the_books
def test_an_enrolment_that_outlived_its_refund_is_named(history):
    Enrolment.objects.update(ended_at=None)
    status, text = reconcile()
    assert status == 1
    assert "it is refunded, but its enrolment still runs" in text


@pytest.mark.postgres
@pytest.mark.spoils_the_books
class TestTampering:
    """As a superuser who has switched the triggers off."""

    @pytest.fixture(autouse=True)
    def in_a_copy(self, committed_db, history):
        self.database = committed_db

    def tamper(self, statement, *values):
        with psycopg.connect(environment.database_address(None, self.database)) as superuser:
            superuser.execute("SET search_path = core; SET session_replication_role = replica")
            assert superuser.execute(statement, values).rowcount == 1

    def test_a_changed_amount_is_named(self):
        self.tamper("UPDATE wallet_posting SET amount = 300 WHERE wallet_seq = 1")
        status, text = reconcile()
        assert status == 1
        assert "(number 1) was changed: its hash does not fit it." in text
        assert "(number 1) says that the balance after it is 100; it is 300." in text

    def test_a_changed_note_is_named(self):
        self.tamper("UPDATE wallet_posting SET note = 'nothing to see' WHERE wallet_seq = 2")
        status, text = reconcile()
        assert (status, text.count("\n")) == (1, 1)
        assert "(number 2) was changed: its hash does not fit it." in text

    def test_a_removed_posting_is_named(self):
        self.tamper("DELETE FROM wallet_posting WHERE wallet_seq = 2")
        status, text = reconcile()
        assert status == 1
        assert "(number 3) follows number 1: one is missing." in text
        assert "(number 3) is not chained to the posting before it." in text
        assert "no posting of its price from its buyer's wallet." in text

    def test_the_last_posting_removed_is_named(self):
        self.tamper("DELETE FROM wallet_posting WHERE wallet_seq = 4")
        status, text = reconcile()
        assert status == 1
        assert "the balance is 70 at number 4; its postings say 40 at number 3." in text

    def test_all_postings_removed_are_named(self):
        with psycopg.connect(environment.database_address(None, self.database)) as superuser:
            superuser.execute("SET session_replication_role = replica; DELETE FROM core.wallet_posting")
        assert f"Wallet {Wallet.objects.get().pk}: it holds credit, but has no posting." in reconcile()[1]

    def test_a_changed_balance_is_named(self):
        self.tamper("UPDATE wallet_wallet SET balance = 1000")
        assert "the balance is 1000 at number 4; its postings say 70 at number 4." in reconcile()[1]

    def test_a_forged_posting_with_a_fitting_hash_breaks_the_chain(self):
        from wallet.ledger import HASHED, canonical_hash

        forged = Posting.objects.get(wallet_seq=1)
        forged.amount = forged.balance_after = 300
        new_hash = canonical_hash([getattr(forged, name) for name in HASHED])
        self.tamper(
            "UPDATE wallet_posting SET amount = 300, balance_after = 300, hash = %s WHERE wallet_seq = 1", new_hash
        )
        assert "(number 2) is not chained to the posting before it." in reconcile()[1]

    def test_a_changed_order_is_named(self):
        order = Order.objects.order_by("created_at").first()
        self.tamper("UPDATE wallet_order SET price = 1 WHERE id = %s", order.pk)
        assert f"Order {order.pk}: its price is not the sum of its lines." in reconcile()[1]

    def test_a_top_up_without_its_credit_is_named(self, alice):
        from payments.models import CreditPack, ProviderEvent, TopUp

        pack = CreditPack.objects.get(code="small")
        price = {"credits": 100, "amount": 1000, "currency": "EUR"}
        topup = TopUp.objects.create(user=alice, pack=pack, provider="sandbox", status="paid", **price)
        named = reconcile()[1]
        assert f"Top-up {topup.pk}: it is paid, but its credit did not arrive." in named
        assert f"Top-up {topup.pk}: it is paid, but its provider never said so." in named
        ProviderEvent.objects.create(provider="sandbox", event_id="e", kind="paid", topup=topup, outcome="applied")
        TopUp.objects.filter(pk=topup.pk).update(status="pending")
        assert f"Top-up {topup.pk}: its provider said that it is paid, but it is not." in reconcile()[1]
