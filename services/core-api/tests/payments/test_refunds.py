"""Giving a top-up's money back: by those who may, once, and never beside the credits."""

import uuid

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import Event
from mail.models import Mail
from payments import letters
from payments.catching_up import carry_out_pending_refunds
from payments.models import Reversal, SandboxReversal, TopUp
from payments.providers.base import ProviderError
from payments.providers.sandbox import Sandbox
from payments.tasks import send_sandbox_webhook
from tests import books
from tests.payments.conftest import refund, reversal_of, send, status_of, wallet_of
from wallet.models import Posting


def fail(retryable):
    def refused(self, refund):
        raise ProviderError("down", retryable=retryable)

    return refused


def is_due():
    Reversal.objects.update(next_attempt_at=timezone.now())


def test_finance_refunds_a_top_up(api, alice, fiona, paid):
    answer = refund(api.as_(fiona), paid)
    assert (answer.status_code, answer.json()["status"], answer.json()["id"]) == (200, "refunded", paid["id"])
    assert api.as_(alice).get(f"/api/v1/wallet/topups/{paid['id']}/").json()["status"] == "refunded"
    movement = api.as_(alice).get("/api/v1/wallet/transactions/").json()["results"][0]
    assert (movement["kind"], movement["amount"], movement["topup"]) == ("topup_refund", -100, paid["id"])
    assert Posting.objects.get(kind="topup_refund").credit.code == "clearing:sandbox"
    assert Event.objects.get(kind="topup_refund").actor_id == fiona.pk
    assert "10.00 EUR" in Mail.objects.get(user=alice).text


@pytest.mark.postgres
def test_the_sandbox_tells_of_a_refund_like_any_provider(api, alice, fiona, paid):
    from procrastinate.contrib.django.models import ProcrastinateJob

    refund(api.as_(fiona), paid)
    job = ProcrastinateJob.objects.get(task_name__endswith="send_sandbox_webhook")
    for _ in range(2):
        send_sandbox_webhook(**job.args)
    assert (status_of(paid), wallet_of(alice)) == ("refunded", (0, False))


def test_a_refund_again_is_answered_alike_and_gives_nothing_more(api, alice, fiona, paid):
    first = refund(api.as_(fiona), paid, key="k-1")
    assert refund(api.as_(fiona), paid, key="k-1").content == first.content
    assert refund(api.as_(fiona), paid, key="k-2").json() == first.json()
    other = refund(api.as_(fiona), paid, key="k-1", reason="Another")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (SandboxReversal.objects.count(), wallet_of(alice)[0]) == (1, 0)


def test_twenty_refunds_at_once_are_one(at_once, api, alice, fiona, paid):
    client = api.as_(fiona)
    answers = at_once(20, lambda number: books.patiently(lambda: refund(client, paid, key=f"k-{number % 4}")))
    assert {(answer.status_code, answer.json()["status"]) for answer in answers} == {(200, "refunded")}
    assert (SandboxReversal.objects.count(), Reversal.objects.count()) == (1, 1)
    assert list(Posting.objects.values_list("kind", flat=True).order_by("wallet_seq")) == ["topup", "topup_refund"]


def test_who_may_not_is_told_so(api, alice, bob, make_person, paid):
    agnes = make_person("agnes", "support_agent")
    for client, status in ((api, 401), (api.as_(bob), 403), (api.as_(alice), 403), (api.as_(agnes), 403)):
        assert refund(client, paid).status_code == status
    assert wallet_of(alice)[0] == 100


def test_nobody_refunds_what_they_paid_themselves(api, alice, paid):
    alice.is_superuser = True
    alice.save()
    answer = refund(api.as_(alice), paid)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert "Somebody else" in answer.json()["detail"]


def test_credits_that_are_spent_cannot_be_refunded(api, alice, fiona, paid):
    books.course("knots", price=40)
    books.buy(api.as_(alice))
    answer = refund(api.as_(fiona), paid, key="k-1")
    assert (answer.status_code, answer.json()["code"]) == (402, "insufficient_credit")
    assert "60 of the 100" in answer.json()["detail"]
    books.give(alice, 40)
    assert refund(api.as_(fiona), paid, key="k-1").status_code == 200  # a failed attempt does not use the key up


def test_a_gift_is_not_refunded_as_money(api, alice, fiona, paid):
    books.give(alice, -60)
    books.promote(alice, 60)
    assert refund(api.as_(fiona), paid).json()["code"] == "insufficient_credit"


def test_what_was_never_paid_is_not_refunded(api, alice, fiona, topup):
    answer = refund(api.as_(fiona), topup)
    assert (answer.status_code, answer.json()["code"]) == (409, "topup_not_paid")


@pytest.mark.parametrize("body", [{"reason": ""}, {"reason": None}, {"reason": "x" * 201}, {"amount": 1}])
def test_a_refund_that_makes_no_sense_is_refused(api, fiona, paid, body):
    assert refund(api.as_(fiona), paid, **body).status_code == 422


def test_an_unknown_top_up_and_a_missing_key(api, fiona, paid):
    assert refund(api.as_(fiona), {"id": uuid.uuid4()}).status_code == 404
    assert api.as_(fiona).post(f"/api/v1/wallet/topups/{paid['id']}/refund/", {"reason": "x"}).status_code == 400


def test_while_the_provider_is_down_the_credits_are_taken_and_a_job_goes_on(api, alice, fiona, paid, monkeypatch):
    with monkeypatch.context() as down:
        down.setattr(Sandbox, "refund", fail(retryable=True))
        answer = refund(api.as_(fiona), paid, key="k-1")
        assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")
        assert (wallet_of(alice)[0], status_of(paid)) == (0, "paid")
        is_due()
        carry_out_pending_refunds()
    assert status_of(paid) == "paid"
    carry_out_pending_refunds()
    assert status_of(paid) == "paid"  # a pause first
    is_due()
    carry_out_pending_refunds()
    assert (status_of(paid), Reversal.objects.get().attempts) == ("refunded", 2)
    assert refund(api.as_(fiona), paid, key="k-1").json()["status"] == "refunded"


def test_a_repetition_resumes_a_refund_that_was_cut_short(api, alice, fiona, paid, monkeypatch):
    with monkeypatch.context() as down:
        down.setattr(Sandbox, "refund", fail(retryable=True))
        refund(api.as_(fiona), paid, key="k-1")
    assert refund(api.as_(fiona), paid, key="k-1").json()["status"] == "refunded"
    assert Reversal.objects.count() == 1


def test_whoever_is_killed_before_the_provider_is_asked_leaves_it_to_the_job(api, alice, fiona, paid, monkeypatch):
    def killed(self, asked):
        raise RuntimeError("killed")

    with monkeypatch.context() as dying:
        dying.setattr(Sandbox, "refund", killed)
        with pytest.raises(RuntimeError):
            refund(api.as_(fiona), paid)
    books.course("knots", price=40)
    assert books.buy(api.as_(alice)).status_code == 402  # the credits are out of reach meanwhile
    is_due()
    carry_out_pending_refunds()
    assert (status_of(paid), SandboxReversal.objects.count()) == ("refunded", 1)


def test_what_the_provider_refuses_for_good_gives_the_credits_back(api, alice, fiona, paid, monkeypatch):
    with monkeypatch.context() as refusing:
        refusing.setattr(Sandbox, "refund", fail(retryable=False))
        answer = refund(api.as_(fiona), paid, key="k-1")
    assert (answer.status_code, answer.json()["code"]) == (502, "provider_refused")
    assert (wallet_of(alice), status_of(paid)) == ((100, False), "paid")
    assert refund(api.as_(fiona), paid, key="k-1").json()["status"] == "refunded"  # another attempt
    assert list(Reversal.objects.order_by("pk").values_list("stage", flat=True)) == ["undone", "done"]


@pytest.mark.postgres
def test_the_provider_is_asked_outside_of_any_transaction(committed_db, api, alice, fiona, paid, monkeypatch):
    def watched(self, asked):
        assert not connection.in_atomic_block
        assert Posting.objects.filter(kind="topup_refund").exists()
        return original(self, asked)

    original = Sandbox.refund
    monkeypatch.setattr(Sandbox, "refund", watched)
    assert refund(api.as_(fiona), paid).status_code == 200


def test_a_refund_that_fails_at_the_bank_later_gives_the_credits_back(api, alice, fiona, paid):
    refund(api.as_(fiona), paid)
    known = Reversal.objects.get()
    event = reversal_of(paid, "refund", "undone", reference=known.reference, asked_as=str(known.pk))
    assert send(api, event).status_code == 200
    assert (status_of(paid), wallet_of(alice)) == ("paid", (100, False))
    assert Posting.objects.get(kind="reinstated").amount == 100


def test_parts_refunded_in_the_dashboard_add_up_to_the_whole(api, alice, fiona, paid):
    for number, (amount, left) in enumerate([(333, 67), (333, 34)]):
        send(api, reversal_of(paid, "refund", "done", amount, f"sbr_{number}"))
        assert (status_of(paid), wallet_of(alice)[0]) == ("paid", left)
    assert refund(api.as_(fiona), paid).json()["status"] == "refunded"
    assert (wallet_of(alice)[0], SandboxReversal.objects.get().amount) == (0, 334)


def test_a_refund_in_the_dashboard_of_credits_that_are_spent_is_owed(api, alice, paid):
    books.give(alice, -70)
    send(api, reversal_of(paid, "refund", "done"))
    assert (status_of(paid), wallet_of(alice)) == ("refunded", (0, True))
    assert Reversal.objects.get().owed == 70


def test_the_database_lets_one_refund_of_ours_run_at_once(api, alice, fiona, paid):
    from django.db import IntegrityError, transaction

    mine = {"topup": TopUp.objects.get(), "kind": "refund", "amount": 1, "credits": 0, "requested_by": fiona}
    Reversal.objects.create(**mine)
    with pytest.raises(IntegrityError, match=r"reversal_one_refund_at_once|UNIQUE"), transaction.atomic():
        Reversal.objects.create(**mine)


@pytest.mark.parametrize(
    ("amount", "currency", "told"),
    [(5005, "EUR", "50.05 EUR"), (5005, "JPY", "5005 JPY"), (5005, "KWD", "5.005 KWD"), (5, "TND", "0.005 TND")],
)
def test_letters_write_money_as_its_currency_is_divided(db, amount, currency, told):
    assert letters._money(Reversal(amount=amount, topup=TopUp(currency=currency))) == told
