"""What a provider says happened: applied once, and only if it is really the provider who says it."""

import uuid

import pytest
from django.conf import settings

from payments.models import ProviderEvent, SandboxPayment, TopUp
from payments.providers.sandbox import Sandbox
from payments.providers.signing import sign
from tests import books
from tests.payments.conftest import event_of, order_pack, send
from wallet.models import Posting, Wallet


def balance(person):
    return sum(Wallet.objects.filter(user=person).values_list("balance", flat=True))


def status_of(topup):
    return TopUp.objects.get(pk=topup["id"]).status


def outcomes():
    return list(ProviderEvent.objects.order_by("received_at").values_list("outcome", flat=True))


def test_a_paid_event_brings_the_credit(api, alice, topup):
    assert send(api, event_of(topup)).status_code == 200
    paid = api.as_(alice).get(f"/api/v1/wallet/topups/{topup['id']}/").json()
    assert (paid["status"], paid["paid_at"] is not None) == ("paid", True)
    movement = api.as_(alice).get("/api/v1/wallet/transactions/").json()["results"][0]
    assert (movement["kind"], movement["amount"], movement["topup"]) == ("topup", 100, topup["id"])
    assert Posting.objects.get().debit.code == "clearing:sandbox"
    books.assert_books_are_right()


def test_a_repeated_event_is_taken_and_changes_nothing(api, alice, topup):
    event = event_of(topup)
    assert [send(api, event).status_code for _ in range(3)] == [200, 200, 200]
    assert (balance(alice), outcomes()) == (100, ["applied"])


def test_another_event_about_the_same_payment_credits_nothing_more(api, alice, topup):
    send(api, event_of(topup))
    send(api, event_of(topup, id="evt_another"))
    assert (balance(alice), outcomes()) == (100, ["applied", "ignored"])


def test_a_failed_payment_brings_nothing(api, alice, topup):
    send(api, event_of(topup, "failed"))
    assert (status_of(topup), balance(alice)) == ("failed", 0)
    books.assert_books_are_right()


def test_who_fails_first_and_pays_then_has_paid(api, alice, topup):
    send(api, event_of(topup, "failed"))
    send(api, event_of(topup, "paid"))
    assert (status_of(topup), balance(alice)) == ("paid", 100)


def test_a_failure_that_comes_late_changes_nothing(api, alice, topup):
    send(api, event_of(topup, "paid"))
    send(api, event_of(topup, "failed"))
    assert (status_of(topup), balance(alice), outcomes()) == ("paid", 100, ["applied", "ignored"])


def test_an_event_may_come_before_the_providers_own_answer(api, alice, monkeypatch):
    create = Sandbox.create

    def create_slowly(self, topup):
        checkout = create(self, topup)
        assert send(api, event_of({"id": topup.pk})).status_code == 200
        return checkout

    monkeypatch.setattr(Sandbox, "create", create_slowly)
    answer = order_pack(api.as_(alice)).json()
    assert (answer["status"], balance(alice)) == ("paid", 100)
    assert TopUp.objects.get().provider_reference == SandboxPayment.objects.get().reference


@pytest.mark.parametrize(
    "changes", [{"amount": 999}, {"amount": 1001}, {"amount": -1000}, {"currency": "USD"}, {"payment": "sbx_other"}]
)
def test_what_does_not_match_the_intent_is_quarantined(api, alice, topup, changes):
    assert send(api, event_of(topup, **changes)).status_code == 200
    assert (status_of(topup), balance(alice), outcomes()) == ("pending", 0, ["quarantined"])


def test_an_event_about_no_intent_of_ours_is_quarantined(api, topup):
    assert send(api, event_of(topup, topup=str(uuid.uuid4()))).status_code == 200
    event = ProviderEvent.objects.get()
    assert (event.outcome, event.topup, event.detail) == ("quarantined", None, "There is no such top-up.")


def test_a_quarantined_event_does_not_hold_up_the_right_one(api, alice, topup):
    send(api, event_of(topup, id="evt_wrong", amount=1))
    send(api, event_of(topup))
    assert (status_of(topup), balance(alice)) == ("paid", 100)


@pytest.mark.parametrize(
    "options",
    [
        {"secret": "another secret, long enough to be one at all"},
        {"age": 301},
        {"age": -330},
        {"signature": ""},
        {"signature": "t=1"},
        {"signature": "v1=00"},
        {"signature": "t=\u00b2,v1=00"},
        {"signature": "t=1,t=2,v1=00"},
        {"signature": "t=99999999999999999999999999,v1=00"},
    ],
)
def test_a_forged_or_stale_event_is_refused(api, alice, topup, options):
    answer = send(api, event_of(topup), **options)
    assert (answer.status_code, answer.json()["code"]) == (400, "signature_invalid")
    assert (status_of(topup), balance(alice), outcomes()) == ("pending", 0, [])


def test_a_signature_holds_for_its_body_only(api, alice, topup):
    signature = sign(settings.SANDBOX_SECRET, b"another body")
    assert send(api, event_of(topup), signature=signature).status_code == 400
    assert balance(alice) == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"id": 1}', b'{"topup": "x"}', b"\xff"])
def test_a_signed_body_that_is_no_event_is_malformed(api, topup, body):
    answer = send(api, None, body=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_an_unknown_provider_is_not_found(api):
    assert api.post("/api/v1/payments/paypal/webhook/", {}).status_code == 404


def test_fifty_copies_at_once_credit_once(at_once, api, alice):
    topup = order_pack(api.as_(alice)).json()
    event = event_of(topup)
    answers = at_once(50, lambda number: books.patiently(lambda: send(api, event)))
    assert [answer.status_code for answer in answers] == [200] * 50
    assert (balance(alice), outcomes()) == (100, ["applied"])
    books.assert_books_are_right()


def test_different_events_at_once_credit_once(at_once, api, alice):
    topup = order_pack(api.as_(alice)).json()
    events = [event_of(topup, "paid" if number % 2 else "failed", id=f"evt_{number}") for number in range(16)]
    at_once(16, lambda number: books.patiently(lambda: send(api, events[number])))
    assert (status_of(topup), balance(alice), outcomes().count("quarantined")) == ("paid", 100, 0)
    books.assert_books_are_right()
