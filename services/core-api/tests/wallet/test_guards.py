"""What the database refuses, whoever is connected."""

from contextlib import contextmanager

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import ProgrammingError

from tests import books, environment
from wallet.models import Account, Lot, LotEntry, Posting, Wallet


def test_a_balance_below_zero_is_refused(alice):
    books.give(alice, 10)
    with pytest.raises(IntegrityError, match="wallet_never_below_zero"), transaction.atomic():
        Wallet.objects.update(balance=-1)


@contextmanager
def refused_at_commit(match):
    """What is done inside is refused when it should be committed."""
    with pytest.raises(IntegrityError, match=match), transaction.atomic():  # noqa: PT012 the body is the caller's
        yield
        connection.check_constraints()


@pytest.mark.postgres
class TestOnPostgreSQL:
    @pytest.fixture(autouse=True)
    def credit(self, alice):
        books.give(alice, 10)

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE wallet_posting SET amount = 1",
            "DELETE FROM wallet_posting",
            "TRUNCATE wallet_posting",
            "UPDATE wallet_order SET price = 0",
            "DELETE FROM wallet_orderline",
            "UPDATE wallet_orderline SET price = 0",
            "DELETE FROM wallet_wallet",
            "UPDATE wallet_account SET code = 'x'",
            "UPDATE wallet_wallet SET user_id = user_id",
            "UPDATE wallet_lot SET amount = 1",
            "UPDATE wallet_lot SET expires_at = now()",
            "DELETE FROM wallet_lot",
            "UPDATE wallet_lotentry SET change = 1",
            "DELETE FROM wallet_lotentry",
            "DELETE FROM wallet_redemption",
        ],
    )
    def test_the_service_may_not_change_the_books(self, statement):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            connection.cursor().execute(statement)

    def test_a_balance_does_not_move_without_its_posting(self):
        with refused_at_commit("without the posting"):
            Wallet.objects.update(balance=1_000_000)

    def test_a_wallet_does_not_begin_with_credit(self, bob):
        with refused_at_commit("without the posting"):
            account = Account.objects.create(id=bob.pk, code="wallet:bob", kind="wallet")
            Wallet.objects.create(account=account, user=bob, balance=5)

    def test_lots_do_not_change_without_their_entries(self, alice):
        lot = books.promote(alice, 5)
        with refused_at_commit("the sum of its entries"):
            Lot.objects.update(remaining=4)
            Wallet.objects.update(promotional=4)
        with refused_at_commit("the sum of its entries"):
            LotEntry.objects.create(lot=lot, posting=Posting.objects.get(kind="adjustment"), change=1)

    def test_lots_and_the_wallet_do_not_part(self, alice):
        lot = books.promote(alice, 5)
        with refused_at_commit("are not its promotional credit"):
            Wallet.objects.update(promotional=4)
        with refused_at_commit("are not its promotional credit"):
            other = Posting.objects.get(kind="adjustment")
            Lot.objects.filter(pk=lot.pk).update(remaining=4)
            LotEntry.objects.create(lot=lot, posting=other, change=-1)

    def test_promotional_credit_is_part_of_the_balance(self):
        with pytest.raises(IntegrityError, match="wallet_promotional_within_balance"), transaction.atomic():
            Wallet.objects.update(promotional=11)

    def test_the_service_owns_no_table(self):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
            assert cursor.fetchone() == (0,)


@pytest.mark.postgres
@pytest.mark.parametrize("role", ["core_owner", None])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE core.wallet_posting SET note = ''",
        "DELETE FROM core.wallet_posting",
        "TRUNCATE core.wallet_posting CASCADE",
        "UPDATE core.wallet_lotentry SET change = 1",
        "DELETE FROM core.wallet_lotentry",
    ],
)
def test_owner_and_superuser_may_not_change_the_books_either(django_db_setup, role, statement):
    address = environment.database_address(role)
    with (
        psycopg.connect(address, options="-c lock_timeout=5s") as owner,
        pytest.raises(psycopg.errors.RestrictViolation, match="never changed"),
    ):
        owner.execute(statement)


def test_an_order_is_not_paid_twice(api, alice):
    books.course("knots", price=40)
    books.give(alice, 100)
    books.buy(api.as_(alice))
    paid = Posting.objects.get(kind="purchase")
    paid.pk, paid.wallet_seq = alice.pk, 99
    with pytest.raises(IntegrityError, match="order"), transaction.atomic():
        paid.save(force_insert=True)
