"""Buying a credit pack, up to the point where the provider takes over."""

import uuid
from unittest.mock import ANY

import pytest
from django.db import connection
from django.test import override_settings

from payments.models import CreditPack, SandboxPayment, TopUp
from payments.providers.base import ProviderError
from payments.providers.sandbox import Sandbox
from tests import books
from tests.payments.conftest import order_pack
from wallet.models import Posting


def test_packs_on_sale_are_listed_for_everybody(api):
    CreditPack.objects.filter(code="large").update(is_active=False)
    assert api.get("/api/v1/wallet/packs/").json()["results"] == [
        {"code": "small", "name": "100 credits", "credits": 100, "amount": 1000, "currency": "EUR"},
        {"code": "medium", "name": "300 credits", "credits": 300, "amount": 2700, "currency": "EUR"},
    ]


def test_alice_is_sent_to_the_providers_checkout(api, alice):
    answer = order_pack(api.as_(alice))
    assert answer.status_code == 201
    assert answer.json() == {
        "id": ANY,
        "status": "pending",
        "pack": "small",
        "provider": "sandbox",
        "credits": 100,
        "amount": 1000,
        "currency": "EUR",
        "checkout_url": ANY,
        "created_at": ANY,
        "paid_at": None,
    }
    payment = SandboxPayment.objects.get()
    assert answer.json()["checkout_url"] == (
        f"http://127.0.0.1:8000/api/v1/payments/sandbox/checkout/{payment.reference}/"
    )
    assert api.as_(alice).get(f"/api/v1/wallet/topups/{answer.json()['id']}/").json() == answer.json()
    assert not Posting.objects.exists()


def test_a_top_up_keeps_the_price_of_its_moment(api, alice, topup):
    CreditPack.objects.update(credits=1, amount=1)
    stored = api.as_(alice).get(f"/api/v1/wallet/topups/{topup['id']}/").json()
    assert (stored["credits"], stored["amount"]) == (100, 1000)


def test_the_same_request_again_makes_one_intent(api, alice):
    first = order_pack(api.as_(alice), key="k-1")
    assert order_pack(api.as_(alice), key="k-1").content == first.content
    assert (TopUp.objects.count(), SandboxPayment.objects.count()) == (1, 1)
    other = order_pack(api.as_(alice), "medium", key="k-1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_without_a_key_nothing_is_begun(api, alice):
    answer = api.as_(alice).post("/api/v1/wallet/topups/", {"pack": "small", "provider": "sandbox"})
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
    assert not TopUp.objects.exists()


@pytest.mark.parametrize(
    ("retryable", "status", "code"), [(True, 503, "provider_unavailable"), (False, 502, "provider_refused")]
)
def test_a_repetition_resumes_the_intent_whose_provider_call_failed(api, alice, monkeypatch, retryable, status, code):
    def fail(self, topup):
        raise ProviderError("down", retryable=retryable)

    with monkeypatch.context() as down:
        down.setattr(Sandbox, "create", fail)
        answer = order_pack(api.as_(alice), key="k-1")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    intent = TopUp.objects.get()
    assert (intent.status, intent.checkout_url) == ("pending", "")
    assert order_pack(api.as_(alice), key="k-1").json()["id"] == str(intent.pk)
    assert TopUp.objects.count() == 1


@pytest.mark.postgres
def test_the_provider_is_called_outside_of_any_transaction(committed_db, api, alice, monkeypatch):
    def create(self, topup):
        assert not connection.in_atomic_block
        assert TopUp.objects.filter(pk=topup.pk).exists()
        return original(self, topup)

    original = Sandbox.create
    monkeypatch.setattr(Sandbox, "create", create)
    assert order_pack(api.as_(alice)).status_code == 201


def test_one_key_twenty_times_at_once_is_one_intent(at_once, api, alice):
    client = api.as_(alice)
    answers = at_once(20, lambda number: books.patiently(lambda: order_pack(client, key="the-same")))
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert (TopUp.objects.count(), SandboxPayment.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("pack", {"pack": "huge"}),
        ("pack", {"pack": ["small"]}),
        ("pack", {"pack": "sma\0ll"}),
        ("pack", {"pack": None}),
        ("provider", {"provider": "stripe"}),
        ("provider", {"provider": None}),
        ("credits", {"credits": 10_000}),
        ("amount", {"amount": 1}),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_by_name(api, alice, name, body):
    answer = order_pack(api.as_(alice), **body)
    assert (answer.status_code, answer.json()["code"], list(answer.json()["errors"])) == (422, "invalid", [name])
    assert not TopUp.objects.exists()


def test_without_the_sandbox_there_is_no_such_provider(api, alice, topup):
    with override_settings(SANDBOX_PAYMENTS=False):
        assert list(order_pack(api.as_(alice)).json()["errors"]) == ["provider"]
        assert api.get(topup["checkout_url"]).status_code == 404
        assert api.post(topup["checkout_url"], {"outcome": "paid"}).status_code == 404
        assert api.post("/api/v1/payments/sandbox/webhook/", {}).status_code == 404


def test_somebody_elses_top_up_is_not_found(api, bob, topup):
    for identifier in (topup["id"], uuid.uuid4()):
        assert api.as_(bob).get(f"/api/v1/wallet/topups/{identifier}/").status_code == 404
    assert api.get(f"/api/v1/wallet/topups/{topup['id']}/").status_code == 401


def test_a_repetition_is_answered_alike_when_the_pack_is_no_longer_on_sale(api, alice):
    first = order_pack(api.as_(alice), key="k-1")
    CreditPack.objects.update(is_active=False)
    assert order_pack(api.as_(alice), key="k-1").content == first.content


def test_a_pack_no_longer_on_sale_is_refused(api, alice):
    CreditPack.objects.update(is_active=False)
    assert list(order_pack(api.as_(alice), key=books.new_key()).json()["errors"]) == ["pack"]
