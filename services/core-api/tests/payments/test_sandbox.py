"""The sandbox provider: its hosted page, and the webhooks it really sends."""

import json

import pytest

from payments import sandbox
from payments.events import refresh_topup
from payments.models import ProviderEvent, SandboxPayment, TopUp
from payments.tasks import send_sandbox_webhook
from tests import books
from wallet.models import Wallet

BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


def test_paying_there_brings_the_credit(api, alice, topup):
    answer = api.post(topup["checkout_url"], {"outcome": "paid", "copies": 3})
    assert (answer.status_code, answer.json()["outcome"]) == (202, "paid")
    assert Wallet.objects.get(user=alice).balance == 100
    assert ProviderEvent.objects.count() == 1
    books.assert_books_are_right()


def test_the_page_has_two_buttons_and_no_script(api, topup):
    page = api.get(topup["checkout_url"], headers=BROWSER)
    text = page.content.decode()
    assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "10.00 EUR" in text
    assert 'value="paid"' in text
    assert 'value="failed"' in text
    assert "<script" not in text
    assert "'unsafe" not in page["Content-Security-Policy"]


def test_a_browsers_click_pays_and_shows_the_page_again(api, alice, topup):
    answer = api.post(topup["checkout_url"], {"outcome": "paid"}, format="multipart", headers=BROWSER)
    assert answer.status_code == 400  # the page's form is not a multipart one
    click = api.post(
        topup["checkout_url"], "outcome=paid", content_type="application/x-www-form-urlencoded", headers=BROWSER
    )
    assert click.status_code == 303
    page = api.get(click["Location"], headers=BROWSER).content.decode()
    assert "Paid." in page
    assert "<form" not in page
    assert Wallet.objects.get(user=alice).balance == 100


def test_failing_and_then_paying(api, alice, topup):
    api.post(topup["checkout_url"], {"outcome": "failed"})
    assert TopUp.objects.get().status == "failed"
    assert "You may try again" in api.get(topup["checkout_url"], headers=BROWSER).content.decode()
    api.post(topup["checkout_url"], {"outcome": "paid"})
    assert Wallet.objects.get(user=alice).balance == 100


def test_what_is_paid_cannot_fail(api, topup):
    api.post(topup["checkout_url"], {"outcome": "paid"})
    answer = api.post(topup["checkout_url"], {"outcome": "failed"})
    assert (answer.status_code, answer.json()["code"]) == (409, "payment_settled")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"outcome": "maybe"},
        {"outcome": "\ud800"},
        {"outcome": "paid", "copies": 0},
        {"outcome": "paid", "copies": 101},
        {"outcome": "paid", "delay_s": -1},
        {"outcome": "paid", "delay_s": 61},
        {"outcome": "paid", "amount": 1},
    ],
)
def test_what_makes_no_sense_there_is_refused(api, topup, body):
    answer = api.post(topup["checkout_url"], json.dumps(body), content_type="application/json", headers=BROWSER)
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert SandboxPayment.objects.get().outcome == ""


def test_an_unknown_payment_is_not_found(api, db):
    address = "/api/v1/payments/sandbox/checkout/sbx_unknown/"
    for answer in (api.get(address, headers=BROWSER), api.post(address, {"outcome": "paid"})):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.postgres
def test_a_late_webhook_waits_in_the_queue(api, alice, topup):
    from procrastinate.contrib.django.models import ProcrastinateJob

    assert api.post(topup["checkout_url"], {"outcome": "paid", "copies": 2, "delay_s": 30}).status_code == 202
    assert TopUp.objects.get().status == "pending"
    job = ProcrastinateJob.objects.get()
    assert job.scheduled_at is not None
    send_sandbox_webhook(**job.args)  # as the worker does when it is due
    assert Wallet.objects.get(user=alice).balance == 100


def test_a_late_webhook_comes_in_place_without_a_queue(api, alice, topup, monkeypatch, settings):
    settings.ON_POSTGRES = False
    timers = []
    monkeypatch.setattr("threading.Timer.start", lambda timer: timers.append(timer))
    monkeypatch.setattr("django.db.transaction.on_commit", lambda run, robust=False: run())
    monkeypatch.setattr("django.db.connections.close_all", lambda: None)
    api.post(topup["checkout_url"], {"outcome": "paid", "delay_s": 30})
    (timer,) = timers
    assert timer.interval == 30
    timer.function()
    assert Wallet.objects.get(user=alice).balance == 100


@pytest.mark.postgres
def test_a_copy_that_was_not_taken_is_sent_again_later_and_not_for_ever(db):
    from procrastinate.contrib.django.models import ProcrastinateJob

    event = {"id": "evt_1", "type": "payment.paid"}  # refused as malformed
    sandbox.send(event, copies=2)
    job = ProcrastinateJob.objects.get()
    assert (job.args["copies"], job.args["attempt"]) == (2, 2)
    sandbox.send(event, copies=2, attempt=sandbox.ATTEMPTS)
    assert ProcrastinateJob.objects.count() == 1


def test_a_lost_webhook_is_made_good_by_asking_the_provider(api, alice, topup):
    SandboxPayment.objects.update(outcome="paid")
    refresh_topup(TopUp.objects.get())
    refresh_topup(TopUp.objects.get())
    assert (TopUp.objects.get().status, Wallet.objects.get(user=alice).balance) == ("paid", 100)
    books.assert_books_are_right()


def test_asking_about_an_open_payment_changes_nothing(api, topup):
    refresh_topup(TopUp.objects.get())
    assert TopUp.objects.get().status == "pending"
    assert not ProviderEvent.objects.exists()
