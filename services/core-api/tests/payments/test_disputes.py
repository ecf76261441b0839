"""A buyer's bank takes the money back: so do we with the credits, and what is missing is owed."""

from datetime import timedelta
from itertools import permutations

import pytest
from django.utils import timezone

from audit.models import Event
from books.reconcile import differences
from mail.models import Mail
from payments.models import ProviderEvent, Reversal, TopUp
from payments.providers.base import ProviderError
from payments.providers.sandbox import Sandbox
from payments.reversals import debt_of
from tests import books
from tests.payments.conftest import event_of, order_pack, refund, reversal_of, send, status_of, wallet_of
from wallet.models import Account, Posting


def debt_account():
    """What the account of debts says that people owe."""
    moved = Posting.objects.values_list("debit__code", "credit__code", "amount")
    return sum(amount * ((debit == "debt") - (credit == "debt")) for debit, credit, amount in moved)


def test_a_dispute_takes_the_credits_back_and_the_buyer_hears_of_it(api, alice, paid):
    send(api, reversal_of(paid))
    assert (wallet_of(alice), status_of(paid)) == ((0, False), "paid")
    assert (Posting.objects.get(kind="clawback").amount, debt_of(alice.pk)) == (100, 0)
    assert Event.objects.get(kind="clawback").detail["owed"] == 0
    assert "100 credits out of your wallet" in Mail.objects.get(user=alice).text


@pytest.mark.parametrize(
    ("spent", "end", "wallet", "status", "owed"),
    [
        (0, "done", (0, False), "refunded", 0),
        (0, "undone", (100, False), "paid", 0),
        (70, "pending", (0, True), "paid", 70),
        (70, "done", (0, True), "refunded", 70),
        (70, "undone", (30, False), "paid", 0),
        (100, "done", (0, True), "refunded", 100),
        (100, "undone", (0, False), "paid", 0),
    ],
)
def test_how_disputes_end(api, alice, paid, spent, end, wallet, status, owed):
    if spent:
        books.give(alice, -spent)
    for stage in ("pending", end):
        send(api, reversal_of(paid, stage=stage))
    assert (wallet_of(alice), status_of(paid)) == (wallet, status)
    assert (debt_of(alice.pk), debt_account()) == (owed, owed)


def test_a_part_of_the_money_takes_its_part_of_the_credits(api, alice, paid):
    send(api, reversal_of(paid, amount=250))
    assert wallet_of(alice)[0] == 75


def test_a_frozen_wallet_spends_nothing_and_the_next_top_up_pays_the_debt_first(api, alice, paid):
    books.give(alice, -70)
    send(api, reversal_of(paid))
    books.course("knots", price=10)
    assert books.buy(api.as_(alice)).json()["code"] == "wallet_frozen"
    send(api, event_of(order_pack(api.as_(alice)).json()))
    assert (wallet_of(alice), debt_of(alice.pk), debt_account()) == ((30, False), 0, 0)
    assert books.buy(api.as_(alice)).status_code == 201
    kinds = api.as_(alice).get("/api/v1/wallet/transactions/").json()["results"]
    assert [(it["kind"], it["amount"]) for it in kinds[:3]] == [("purchase", -10), ("debt_paid", -70), ("topup", 100)]


def test_alice_is_told_what_she_owes_and_that_her_wallet_is_frozen_for_it(api, alice, paid):
    client = api.as_(alice)
    books.give(alice, -70)
    send(api, reversal_of(paid))
    books.course("knots", price=10)
    shown = client.get("/api/v1/wallet/").json()
    assert (shown["frozen"], shown["frozen_because"], shown["owed"]) == (True, "debt", 70)
    assert "until the 70 credits that you owe are paid" in books.buy(client).json()["detail"]
    books.give(alice, 80)
    assert client.get("/api/v1/wallet/").json() == {"balance": 10, "promotional": [], **books.NOT_FROZEN}


def test_a_gift_that_is_over_pays_no_debt(api, alice, paid):
    other, third = (order_pack(api.as_(alice)).json() for _ in range(2))
    send(api, event_of(other))
    books.give(alice, -200)
    for topup, reference in ((paid, "sbr_1"), (other, "sbr_2")):
        send(api, reversal_of(topup, reference=reference))
    books.promote(alice, 50, days=-1)
    send(api, event_of(third))
    assert (wallet_of(alice), debt_of(alice.pk)) == ((0, True), 100)


def test_a_debt_is_paid_in_parts_from_whatever_arrives(api, alice, paid):
    books.give(alice, -100)
    send(api, reversal_of(paid))
    books.give(alice, 60)
    assert (wallet_of(alice), debt_of(alice.pk)) == ((0, True), 40)
    books.give(alice, 60)
    assert (wallet_of(alice), debt_of(alice.pk)) == ((20, False), 0)


def test_a_dispute_won_gives_back_what_was_taken_and_what_was_paid_since(api, alice, paid):
    books.give(alice, -70)
    send(api, reversal_of(paid))
    books.give(alice, 50)  # pays 50 of the 70
    send(api, reversal_of(paid, stage="undone"))
    assert (wallet_of(alice), debt_of(alice.pk), debt_account()) == ((80, False), 0, 0)


def test_what_a_won_dispute_gives_back_pays_other_debts_first(api, alice, paid):
    other = order_pack(api.as_(alice)).json()
    send(api, event_of(other))
    books.give(alice, -150)
    send(api, reversal_of(paid))
    send(api, reversal_of(other, reference="sbr_2"))
    assert (wallet_of(alice), debt_of(alice.pk)) == ((0, True), 150)
    send(api, reversal_of(paid, stage="undone"))
    assert (wallet_of(alice), debt_of(alice.pk)) == ((0, True), 50)
    send(api, reversal_of(other, stage="undone", reference="sbr_2"))
    assert (wallet_of(alice), debt_of(alice.pk)) == ((50, False), 0)


def test_a_gift_is_taken_last_and_comes_back_as_a_gift(api, alice, paid):
    books.promote(alice, 30)
    books.give(alice, -50)  # the gift and 20 that were paid
    books.promote(alice, 50)
    send(api, reversal_of(paid))
    assert wallet_of(alice) == (30, False)
    assert alice.wallet.promotional == 30
    send(api, reversal_of(paid, stage="undone"))
    alice.wallet.refresh_from_db()
    assert (alice.wallet.balance, alice.wallet.promotional) == (130, 50)


def test_a_gift_pays_a_debt_too(api, alice, fiona, paid):
    books.give(alice, -70)
    send(api, reversal_of(paid))
    until = (timezone.now() + timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
    left = []
    for amount in (50, 50):
        body = {"amount": amount, "expires_at": until, "reason": "Sorry"}
        headers = {"Idempotency-Key": books.new_key()}
        answer = api.as_(fiona).post(f"/api/v1/wallets/{alice.pk}/promotions/", body, headers=headers)
        left.append((answer.json()["credits"], debt_of(alice.pk), wallet_of(alice)))
    assert left == [(0, 20, (0, True)), (30, 0, (30, False))]


def test_gifts_that_paid_a_debt_come_back_as_gifts(api, alice, paid):
    books.give(alice, -70)
    books.promote(alice, 10)
    send(api, reversal_of(paid))  # takes the gift, too
    assert debt_of(alice.pk) == 60
    books.promote(alice, 20)
    books.give(alice, 15)
    books.promote(alice, 5)
    assert (wallet_of(alice), debt_of(alice.pk)) == ((0, True), 20)
    send(api, reversal_of(paid, stage="undone"))
    alice.wallet.refresh_from_db()
    assert (alice.wallet.balance, alice.wallet.promotional) == (80, 35)


def test_a_wallet_that_an_admin_froze_stays_frozen(api, alice, paid):
    books.give(alice, -70)
    alice.wallet.frozen = True
    alice.wallet.save(update_fields=["frozen"])
    shown = api.as_(alice).get("/api/v1/wallet/").json()
    assert (shown["frozen_because"], shown["owed"]) == ("other", 0)
    send(api, reversal_of(paid))
    send(api, reversal_of(paid, stage="undone"))
    assert wallet_of(alice) == (30, True)


@pytest.mark.parametrize("order", list(permutations(["paid", "pending", "undone"])))
def test_events_of_a_won_dispute_come_in_any_order_and_twice(api, alice, topup, order):
    api.post(topup["checkout_url"], {"outcome": "paid", "delay_s": 60})  # the sandbox knows, its webhook is late
    for stage in order:
        for _ in range(2):
            event = event_of(topup) if stage == "paid" else reversal_of(topup, stage=stage)
            assert send(api, event).status_code == 200
    assert (wallet_of(alice), status_of(topup), debt_of(alice.pk)) == ((100, False), "paid", 0)
    assert not ProviderEvent.objects.filter(outcome="quarantined").exists()


@pytest.mark.parametrize("order", list(permutations(["paid", "pending", "done"])))
def test_events_of_a_lost_dispute_come_in_any_order(api, alice, topup, order):
    api.post(topup["checkout_url"], {"outcome": "paid", "delay_s": 60})
    for stage in order:
        send(api, event_of(topup) if stage == "paid" else reversal_of(topup, stage=stage))
    assert (wallet_of(alice), status_of(topup)) == ((0, False), "refunded")


def test_a_lost_dispute_that_is_won_after_all(api, alice, paid):
    for stage in ("pending", "done", "undone"):
        send(api, reversal_of(paid, stage=stage))
    assert (wallet_of(alice), status_of(paid)) == ((100, False), "paid")


def test_a_dispute_of_what_was_refunded_takes_nothing_more(api, alice, fiona, paid):
    refund(api.as_(fiona), paid)
    send(api, reversal_of(paid))
    assert (wallet_of(alice), debt_of(alice.pk)) == ((0, False), 0)


def test_a_refund_that_fails_since_the_bank_was_faster_leaves_the_credits_to_the_dispute(
    api, alice, fiona, paid, monkeypatch
):
    def down(self, refund):
        raise ProviderError("down", retryable=True)

    with monkeypatch.context() as unreachable:
        unreachable.setattr(Sandbox, "refund", down)
        assert refund(api.as_(fiona), paid).status_code == 503
    send(api, reversal_of(paid))
    assert wallet_of(alice) == (0, False)
    failed = reversal_of(paid, "refund", "undone", reference="sbr_2", asked_as=str(Reversal.objects.earliest("pk").pk))
    send(api, failed)
    assert (wallet_of(alice), status_of(paid)) == ((0, False), "paid")
    assert Reversal.objects.get(kind="dispute").credits == 100
    send(api, reversal_of(paid, stage="undone"))
    assert wallet_of(alice) == (100, False)


def test_a_disputed_top_up_is_not_refunded(api, alice, fiona, paid):
    send(api, reversal_of(paid))
    answer = refund(api.as_(fiona), paid)
    assert (answer.status_code, answer.json()["code"]) == (409, "topup_disputed")


@pytest.mark.parametrize("changes", [{"amount": 1001}, {"amount": 0}, {"currency": "USD"}])
def test_a_dispute_that_does_not_fit_is_quarantined_and_admins_hear_once(api, alice, root, paid, changes):
    event = reversal_of(paid, **changes)
    assert [send(api, event).status_code for _ in range(3)] == [200, 200, 200]
    assert (wallet_of(alice), ProviderEvent.objects.filter(outcome="quarantined").count()) == ((100, False), 1)
    assert Mail.objects.get(kind="payment_quarantined").user == root


def test_a_dispute_of_what_the_provider_says_is_not_paid_is_quarantined(api, alice, topup):
    send(api, reversal_of(topup))
    assert ProviderEvent.objects.get().detail == "A dispute of a top-up that is not paid."


def test_fifty_copies_at_once_take_once(at_once, api, alice, paid):
    books.give(alice, -70)
    event = reversal_of(paid)
    answers = at_once(50, lambda number: books.patiently(lambda: send(api, event)))
    assert {answer.status_code for answer in answers} == {200}
    assert (wallet_of(alice), debt_of(alice.pk), Reversal.objects.count()) == ((0, True), 70, 1)


def test_disputes_refunds_purchases_and_top_ups_at_once(at_once, api, alice, fiona, paid):
    """Whatever comes first: no deadlock, nothing lost, nothing below zero (books_stay_right)."""
    topups = [order_pack(api.as_(alice)).json() for _ in range(3)]
    books.course("knots", price=40)
    finance, buyer = api.as_(fiona), api.as_(alice)
    acts = [
        *(lambda it=it: send(api, event_of(it)) for it in topups),
        *(lambda it=it: send(api, reversal_of(it, reference=it["id"])) for it in topups),
        *(lambda it=it: send(api, reversal_of(it, stage="undone", reference=it["id"])) for it in topups[:2]),
        lambda: refund(finance, paid),
        lambda: books.buy(buyer),
    ]
    for it in topups:
        api.post(it["checkout_url"], {"outcome": "paid", "delay_s": 60})
    answers = at_once(len(acts), lambda number: books.patiently(acts[number]))
    assert {answer.status_code for answer in answers} <= {200, 201, 402, 409}
    assert [answer.status_code for answer in answers[:8]] == [200] * 8
    assert sorted(TopUp.objects.values_list("status", flat=True)).count("pending") == 0


def test_an_account_of_debts_is_there(db):
    assert Account.objects.get(code="debt").kind == "debt"


def test_the_sandboxs_page_also_does_what_banks_and_dashboards_do(api, alice, topup):
    at = topup["checkout_url"]
    assert api.post(at, {"outcome": "disputed"}).json()["code"] == "nothing_to_reverse"  # it knows of no payment yet
    api.post(at, {"outcome": "paid"})
    assert api.post(at, {"outcome": "refunded", "amount": 400, "copies": 2}).status_code == 202
    assert wallet_of(alice)[0] == 60
    assert api.post(at, {"outcome": "disputed", "copies": 3}).status_code == 202
    assert wallet_of(alice)[0] == 0
    assert api.post(at, {"outcome": "dispute_won"}).status_code == 202
    assert wallet_of(alice)[0] == 60
    assert api.post(at, {"outcome": "dispute_lost"}).json()["code"] == "nothing_to_reverse"
    assert api.post(at, {"outcome": "refund_failed"}).status_code == 202
    assert wallet_of(alice)[0] == 100


@pytest.mark.spoils_the_books
@pytest.mark.parametrize(
    ("tampered", "found"),
    [({"credits": 60}, "refunds and disputes took"), ({"owed": 60}, "owed for it"), (None, "not frozen")],
)
def test_tampering_with_what_is_owed_is_found(api, alice, paid, tampered, found):
    books.give(alice, -70)
    send(api, reversal_of(paid))
    if tampered:
        Reversal.objects.update(**tampered | {"owed": tampered.get("owed", 50)})
    else:
        alice.wallet.frozen = False
        alice.wallet.save(update_fields=["frozen"])
    assert any(found in difference for difference in differences())
