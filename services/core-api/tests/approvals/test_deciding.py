"""Above the limit, one person proposes and another one decides."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from approvals import proposals
from approvals.models import Approval
from audit.models import Event
from learning.models import Enrolment
from mail.models import Mail
from payments.models import Reversal, SandboxReversal, TopUp
from payments.providers.base import ProviderError
from payments.providers.sandbox import Sandbox
from tests import books
from tests.conftest import Api
from tests.payments import conftest as payments
from wallet.models import Posting, Wallet

LIMIT = 50


@pytest.fixture(autouse=True)
def limit(settings) -> None:
    settings.APPROVAL_LIMIT = LIMIT


@pytest.fixture(autouse=True)
def the_books(database: None):
    yield
    books.assert_books_are_right()


@pytest.fixture
def felix(make_person) -> User:
    return make_person("felix", "finance", is_staff=True)


@pytest.fixture
def order(api: Api, alice: User) -> str:
    books.course("knots", price=60)
    books.give(alice, 100)
    return books.buy(api.as_(alice)).json()["id"]


def post(client: Api, path: str, **body: Any) -> Any:
    return client.post(f"/api/v1/{path}", body, headers={"Idempotency-Key": books.new_key()})


def refund(client: Api, order: str, **body: Any) -> Any:
    return post(client, f"orders/{order}/refund/", reason="Not as described", **body)


def adjust(client: Api, user: User, amount: int) -> Any:
    return post(client, f"wallets/{user.pk}/adjust/", amount=amount, reason="Goodwill")


def decide(client: Api, approval: str, how: str = "approve") -> Any:
    return client.post(f"/api/v1/approvals/{approval}/{how}/", {"note": "Looked at it"})


def balance(user: User) -> int:
    return Wallet.objects.get(user=user).balance


def test_a_large_refund_waits_and_is_done_when_another_approves(
    api: Api, alice: User, fiona: User, felix: User, order: str
) -> None:
    answer = refund(api.as_(fiona), order)
    assert (answer.status_code, answer.json()["code"]) == (202, "approval_pending")
    assert balance(alice) == 40
    waiting = api.as_(felix).get("/api/v1/approvals/", {"state": "pending"}).json()["results"]
    assert [(it["id"], it["amount"], it["proposed_by"]) for it in waiting] == [
        (answer.json()["approval"]["id"], 60, str(fiona.pk))
    ]
    for _ in range(2):  # approving again says the same and does nothing more
        approved = decide(api.as_(felix), waiting[0]["id"])
        assert (approved.status_code, approved.json()["state"]) == (200, "approved")
    assert balance(alice) == 100
    assert Enrolment.objects.get(user=alice).end_reason == "refund"
    assert Posting.objects.get(kind="refund").caused_by == felix
    kinds = Event.objects.filter(kind__startswith="approval").order_by("id").values_list("kind", "actor_id")
    assert list(kinds) == [("approval_asked", fiona.pk), ("approval_given", felix.pk)]
    assert Mail.objects.get(kind="approval_decided").user == fiona


def test_a_rejected_one_moves_nothing_and_is_not_approved_later(
    api: Api, alice: User, fiona: User, felix: User, order: str
) -> None:
    approval = refund(api.as_(fiona), order).json()["approval"]["id"]
    assert decide(api.as_(felix), approval, "reject").json()["state"] == "rejected"
    assert decide(api.as_(felix), approval).json()["code"] == "approval_decided"
    assert balance(alice) == 40
    assert refund(api.as_(fiona), order).status_code == 202  # it may be proposed anew


def test_nobody_decides_what_they_proposed(api: Api, fiona: User, order: str) -> None:
    approval = refund(api.as_(fiona), order).json()["approval"]["id"]
    for how in ("approve", "reject"):
        answer = decide(api.as_(fiona), approval, how)
        assert (answer.status_code, answer.json()["code"]) == (409, "approval_own")


def test_nobody_decides_what_is_for_themselves(api: Api, fiona: User, felix: User) -> None:
    approval = adjust(api.as_(fiona), felix, 500).json()["approval"]["id"]
    assert decide(api.as_(felix), approval).json()["code"] == "approval_own"


def test_the_database_holds_it_too(fiona: User, felix: User) -> None:
    approval = proposals.do_propose(Approval.Kind.ADJUSTMENT, fiona, felix, "Goodwill", amount=500)
    for decider, state in ((fiona, "approved"), (fiona, "rejected"), (felix, "approved")):
        with pytest.raises(IntegrityError, match="approval_"), transaction.atomic():
            Approval.objects.filter(pk=approval.pk).update(state=state, decided_by=decider, decided_at=timezone.now())


def test_others_neither_see_nor_decide(api: Api, alice: User, agnes: User, fiona: User, order: str) -> None:
    approval = refund(api.as_(fiona), order).json()["approval"]["id"]
    for somebody in (alice, agnes):
        assert api.as_(somebody).get("/api/v1/approvals/").status_code == 403
        assert decide(api.as_(somebody), approval).status_code == 403


def test_a_small_one_needs_nobody_else(api: Api, alice: User, fiona: User) -> None:
    assert adjust(api.as_(fiona), alice, LIMIT).status_code == 200
    assert not Approval.objects.exists()


def test_a_large_sum_does_not_pass_in_small_ones(api: Api, alice: User, bob: User, fiona: User) -> None:
    assert adjust(api.as_(fiona), alice, 30).status_code == 200
    assert adjust(api.as_(fiona), alice, 30).status_code == 202
    assert adjust(api.as_(fiona), alice, -30).status_code == 202
    assert adjust(api.as_(fiona), bob, 30).status_code == 200
    assert (balance(alice), balance(bob)) == (30, 30)


def test_small_sums_for_oneself_count_together_and_what_one_buys_does_not(api: Api, fiona: User) -> None:
    client = api.as_(fiona)
    assert adjust(client, fiona, 40).status_code == 200
    books.course("knots", price=40)
    assert books.buy(client).status_code == 201
    assert adjust(client, fiona, 10).status_code == 200
    assert adjust(client, fiona, 1).status_code == 202


@pytest.mark.postgres
def test_many_small_ones_at_once_do_not_pass_either(committed_db: str, at_once, alice: User, fiona: User) -> None:
    books.give(alice, 0 + 1)
    results = at_once(8, lambda _: books.patiently(lambda: adjust(Api().as_(fiona), alice, 20)).status_code)
    assert sorted(results) == [200, 200, *[202] * 6]
    assert balance(alice) == 41


def test_proposed_again_it_is_the_same_proposal(api: Api, fiona: User, felix: User, order: str) -> None:
    first, second = (refund(api.as_(by), order).json()["approval"]["id"] for by in (fiona, felix))
    assert first == second
    line = Approval.objects.get().order.lines.get()
    other = refund(api.as_(fiona), order, lines=[str(line.pk)])
    assert (other.status_code, other.json()["code"]) == (409, "approval_pending")


def test_what_cannot_be_done_any_more_stays_pending(
    api: Api, alice: User, fiona: User, felix: User, order: str
) -> None:
    approval = adjust(api.as_(fiona), alice, -90).json()["approval"]["id"]
    answer = decide(api.as_(felix), approval)
    assert (answer.status_code, answer.json()["code"]) == (402, "insufficient_credit")
    assert Approval.objects.get().state == "pending"


@pytest.mark.postgres
def test_approved_by_many_at_once_it_is_done_once(
    committed_db: str, at_once, fiona: User, make_person, alice: User
) -> None:
    approval = adjust(Api().as_(fiona), alice, 500).json()["approval"]["id"]
    deciders = [make_person(f"decider{n}", "finance") for n in range(6)]
    results = at_once(6, lambda n: books.patiently(lambda: decide(Api().as_(deciders[n]), approval)).json()["state"])
    assert (set(results), balance(alice)) == ({"approved"}, 500)


@pytest.fixture
def asked(api: Api, alice: User, fiona: User) -> str:
    """The approval that the refund of a top-up of 100 credits waits for."""
    topup = payments.order_pack(api.as_(alice)).json()
    api.post(topup["checkout_url"], {"outcome": "paid"})
    answer = payments.refund(api.as_(fiona), topup)
    assert (answer.status_code, balance(alice)) == (202, 100)
    return answer.json()["approval"]["id"]


def test_a_large_top_up_goes_back_when_another_approves(api: Api, alice: User, felix: User, asked: str) -> None:
    for _ in range(2):
        assert decide(api.as_(felix), asked).json()["state"] == "approved"
    assert (balance(alice), TopUp.objects.get().status, SandboxReversal.objects.count()) == (0, "refunded", 1)


def test_whoever_approves_what_the_provider_refuses_is_told(
    api: Api, alice: User, felix: User, asked: str, monkeypatch
) -> None:
    def refuse(self: Sandbox, refund: Reversal) -> None:
        raise ProviderError("No", retryable=False)

    monkeypatch.setattr(Sandbox, "refund", refuse)
    answer = decide(api.as_(felix), asked)
    assert (answer.status_code, answer.json()["code"], balance(alice)) == (502, "provider_refused", 100)


def test_an_extension_lets_the_course_last_longer(api: Api, alice: User, agnes: User, felix: User, order: str) -> None:
    enrolment = Enrolment.objects.get(user=alice)
    over = timezone.now() - timedelta(days=1)
    Enrolment.objects.filter(pk=enrolment.pk).update(valid_until=over)
    approval = proposals.do_propose(
        Approval.Kind.EXTENSION, agnes, alice, "The video was broken", enrolment=enrolment, days=7
    )
    assert decide(api.as_(felix), str(approval.pk)).status_code == 200
    enrolment.refresh_from_db()
    assert enrolment.valid_until > timezone.now() + timedelta(days=6)


def test_promotional_credit_needs_it_too(api: Api, alice: User, fiona: User, felix: User) -> None:
    until = (timezone.now() + timedelta(days=30)).isoformat()
    path = f"wallets/{alice.pk}/promotions/"
    assert post(api.as_(fiona), path, amount=30, expires_at=until, reason="Welcome").status_code == 201
    answer = post(api.as_(fiona), path, amount=30, expires_at=until, reason="Welcome")
    assert (answer.status_code, balance(alice)) == (202, 30)
    assert decide(api.as_(felix), answer.json()["approval"]["id"]).status_code == 200
    assert (balance(alice), Wallet.objects.get(user=alice).promotional) == (60, 60)


def test_a_promotion_whose_end_has_passed_is_not_approved_any_more(
    api: Api, alice: User, fiona: User, felix: User
) -> None:
    until = (timezone.now() + timedelta(days=1)).isoformat()
    asked = post(api.as_(fiona), f"wallets/{alice.pk}/promotions/", amount=60, expires_at=until, reason="Welcome")
    approval = asked.json()["approval"]["id"]
    Approval.objects.update(expires_at=timezone.now())
    answer = decide(api.as_(felix), approval)
    assert (answer.status_code, answer.json()["code"]) == (409, "promotion_over")
    assert not Posting.objects.exists()
    assert decide(api.as_(felix), approval, "reject").status_code == 200


def test_in_the_admin_site(client, alice: User, fiona: User, felix: User) -> None:
    approval = proposals.do_propose(Approval.Kind.ADJUSTMENT, fiona, alice, "Goodwill", amount=500)
    form = {"action": "approve", "_selected_action": [str(approval.pk)]}
    client.force_login(felix)
    page = client.post("/admin/approvals/approval/", form)
    once = page.context["form"]["once"].value()
    client.post("/admin/approvals/approval/", form | {"confirmed": "1", "once": once, "note": "Yes"})
    approval.refresh_from_db()
    assert (approval.state, approval.decided_by, balance(alice)) == ("approved", felix, 500)
