"""Credit given and taken by hand."""

import json
import uuid

import pytest

from tests import books
from wallet import actions
from wallet.locking import money_transaction
from wallet.models import Posting, Wallet


def adjust(client, person, amount, reason="For the delay"):
    return client.post(
        f"/api/v1/wallets/{person}/adjust/",
        json.dumps({"amount": amount, "reason": reason}),
        content_type="application/json",
        headers={"Idempotency-Key": books.new_key()},
    )


def test_finance_gives_and_takes_credit(api, fiona, alice):
    client = api.as_(fiona)
    assert adjust(client, alice.pk, 50).json() == {"balance": 50, "promotional": [], **books.NOT_FROZEN}
    assert adjust(client, alice.pk, -20).json()["balance"] == 30
    assert client.get(f"/api/v1/wallets/{alice.pk}/").json() == {"balance": 30, "promotional": [], **books.NOT_FROZEN}
    assert [posting.caused_by for posting in Posting.objects.all()] == [fiona, fiona]
    books.assert_books_are_right()


def test_a_wallet_is_never_taken_below_zero(api, fiona, alice):
    books.give(alice, 10)
    answer = adjust(api.as_(fiona), alice.pk, -11)
    assert (answer.status_code, answer.json()["code"]) == (402, "insufficient_credit")
    assert Wallet.objects.get(user=alice).balance == 10


@pytest.mark.parametrize("amount", [0, 1.5, "5", "\uff15", True, None, 10**9 + 1, -(10**9) - 1, 2**63, 10**400, [1]])
def test_an_amount_that_is_no_amount_is_refused(api, fiona, alice, amount):
    answer = adjust(api.as_(fiona), alice.pk, amount)
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["amount"])
    assert not Posting.objects.exists()


def test_nobody_else_may(api, alice, bob):
    assert adjust(api.as_(bob), alice.pk, 5).status_code == 403
    assert api.as_(bob).get(f"/api/v1/wallets/{alice.pk}/").status_code == 403


def test_an_unknown_person_is_not_found(api, fiona):
    assert adjust(api.as_(fiona), uuid.uuid4(), 5).status_code == 404
    assert api.as_(fiona).get(f"/api/v1/wallets/{uuid.uuid4()}/").status_code == 404


def test_what_a_leaver_gives_up_goes_to_the_expired_credit(alice, root):
    books.give(alice, 30)
    with money_transaction():
        assert actions.do_forfeit(alice, root) == 30
        assert actions.do_forfeit(alice, root) == 0
    (posting,) = Posting.objects.filter(kind="forfeiture")
    assert (posting.credit.code, posting.amount, posting.caused_by) == ("expired", 30, root)
    assert Wallet.objects.get(user=alice).balance == 0
    books.assert_books_are_right()
