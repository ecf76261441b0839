"""What the database refuses, whoever is connected."""

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import ProgrammingError

from tests import books, environment
from wallet.models import Account, Posting, Wallet


def test_a_balance_below_zero_is_refused(alice):
    books.give(alice, 10)
    with pytest.raises(IntegrityError, match="wallet_never_below_zero"), transaction.atomic():
        Wallet.objects.update(balance=-1)


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
        ],
    )
    def test_the_service_may_not_change_the_books(self, statement):
        with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
            cursor.execute(statement)

    def test_a_balance_does_not_move_without_its_posting(self):
        Wallet.objects.update(balance=1_000_000)
        with pytest.raises(IntegrityError, match="without the posting"):
            connection.check_constraints()  # as a commit would

    def test_a_wallet_does_not_begin_with_credit(self, bob):
        account = Account.objects.create(id=bob.pk, code="wallet:bob", kind="wallet")
        Wallet.objects.create(account=account, user=bob, balance=5)
        with pytest.raises(IntegrityError, match="without the posting"):
            connection.check_constraints()


@pytest.mark.postgres
@pytest.mark.parametrize("role", ["core_owner", None])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE core.wallet_posting SET note = ''",
        "DELETE FROM core.wallet_posting",
        "TRUNCATE core.wallet_posting CASCADE",
    ],
)
def test_owner_and_superuser_may_not_change_postings_either(django_db_setup, role, statement):
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
