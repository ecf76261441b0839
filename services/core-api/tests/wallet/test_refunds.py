"""Giving credit back: whole orders, and lines of them."""

import json
import uuid

import pytest

from approvals.models import Approval
from learning.models import Enrolment
from tests import books
from tests.admin_pages import act, ask, permit
from wallet.models import Order, OrderLine, Posting, Wallet


@pytest.fixture
def finance(api, root):
    return api.as_(root)


def refund(client, order, key=None, **body):
    body = {"reason": "Asked for", **body}
    headers = {"Idempotency-Key": key or books.new_key()}
    return client.post(f"/api/v1/orders/{order}/refund/", body, headers=headers)


@pytest.fixture
def order(api, alice):
    books.course("knots", price=40)
    books.give(alice, 100)
    return books.buy(api.as_(alice)).json()["id"]


def test_a_refund_gives_the_price_back_and_ends_the_enrolment(finance, alice, order):
    answer = refund(finance, order)
    assert (answer.status_code, answer.json()["id"]) == (200, order)
    assert answer.json()["refunded_at"] == answer.json()["lines"][0]["refunded_at"] is not None
    enrolment = Enrolment.objects.get(user=alice)
    assert (enrolment.ended_at is not None, enrolment.end_reason) == (True, "refund")
    assert Wallet.objects.get(user=alice).balance == 100
    books.assert_books_are_right()


def test_a_refund_says_who_gave_it_and_why(finance, root, order):
    refund(finance, order)
    posting = Posting.objects.get(kind="refund")
    assert (posting.caused_by, posting.note, posting.amount) == (root, "Asked for", 40)
    assert (posting.debit.code, posting.order_line.order_id) == ("revenue", uuid.UUID(order))


def test_refunding_again_gives_the_same_answer_and_no_more_credit(finance, alice, order):
    first = refund(finance, order, key="k-1")
    assert refund(finance, order, key="k-1").content == first.content
    assert refund(finance, order, key="k-2").json() == first.json()
    assert Wallet.objects.get(user=alice).balance == 100
    assert Posting.objects.filter(kind="refund").count() == 1


def test_a_refunded_course_can_be_bought_again(api, finance, alice, order):
    refund(finance, order)
    assert books.buy(api.as_(alice)).status_code == 201
    books.assert_books_are_right()


def test_a_free_order_is_refunded_by_ending_the_enrolment(api, finance, alice):
    books.course("taster", price=0)
    order = books.buy(api.as_(alice), "taster").json()["id"]
    assert refund(finance, order).status_code == 200
    assert Enrolment.objects.get().ended_at is not None
    assert not Posting.objects.exists()
    books.assert_books_are_right()


def test_a_refund_of_one_of_three_lines_leaves_the_others(api, finance, alice):
    for slug, price in (("knots", 40), ("sails", 20), ("tides", 30)):
        books.course(slug, price=price)
    books.bundle("harbour", 60, "knots", "sails", "tides")
    books.give(alice, 60)
    bought = books.buy(api.as_(alice), None, bundle="harbour").json()
    line = next(line for line in bought["lines"] if line["course"] == "sails")
    answer = refund(finance, bought["id"], lines=[line["id"]])
    assert answer.json()["refunded_at"] is None
    assert [line["course"] for line in answer.json()["lines"] if line["refunded_at"]] == ["sails"]
    running = Enrolment.objects.filter(ended_at=None).values_list("course__slug", flat=True)
    assert sorted(running) == ["knots", "tides"]
    assert Wallet.objects.get(user=alice).balance == line["price"] == 13


def test_a_course_held_otherwise_stays_open_after_a_refund(finance, alice, order):
    enrolment = Enrolment.objects.get()
    granted = Enrolment.objects.create(user=alice, course=enrolment.course, source="grant")
    refund(finance, order)
    granted.refresh_from_db()
    assert granted.ended_at is None


def test_a_line_of_another_order_is_refused(finance, order):
    stranger = str(uuid.uuid4())
    answer = refund(finance, order, lines=[stranger])
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert stranger in answer.json()["errors"]["lines"][0]
    assert not Posting.objects.filter(kind="refund").exists()


@pytest.mark.parametrize(
    "body", [{"reason": ""}, {"reason": None}, {"lines": []}, {"lines": ["\ud800"]}, {"amount": 5}]
)
def test_a_refund_that_makes_no_sense_is_refused(finance, order, body):
    answer = finance.post(
        f"/api/v1/orders/{order}/refund/",
        json.dumps({"reason": "x", **body}),
        content_type="application/json",
        headers={"Idempotency-Key": books.new_key()},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_an_unknown_order_is_not_found(finance):
    assert refund(finance, uuid.uuid4()).status_code == 404


def test_the_same_key_for_another_order_is_refused(api, finance, alice, order):
    books.course("sails", price=10)
    other = books.buy(api.as_(alice), "sails").json()["id"]
    refund(finance, order, key="k-1")
    assert refund(finance, other, key="k-1").json()["code"] == "idempotency_key_reused"


def test_a_learner_refunds_nothing(api, alice, order):
    answer = refund(api.as_(alice), order)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert Order.objects.get().lines.get().refunded_at is None


@pytest.fixture
def desk(client, fiona):
    """Finance on the admin site's pages."""
    client.force_login(permit(fiona, "wallet.view_order", "wallet.view_orderline"))
    return client


def test_finance_refunds_an_order_on_its_page_and_only_once(desk, alice, fiona, order):
    assert ">Refund …<" in desk.get(f"/admin/wallet/order/{order}/change/").content.decode()
    page = ask(desk, "/admin/wallet/order/", "refund", order)
    assert [said for _, said in page.context["allowed"]] == ["Knots of alice, for 40 credits"]
    told = act(desk, "/admin/wallet/order/", "refund", order, reason="Asked for")
    assert told == [f"The order {order} is refunded."]
    assert Wallet.objects.get(user=alice).balance == 100
    posting = Posting.objects.get(kind="refund")
    assert (posting.caused_by, posting.note) == (fiona, "Asked for")
    assert Enrolment.objects.get(user=alice).end_reason == "refund"
    assert ask(desk, "/admin/wallet/order/", "refund", order).context["allowed"] == []
    assert ">Refund …<" not in desk.get(f"/admin/wallet/order/{order}/change/").content.decode()


def test_finance_refunds_one_course_of_several_there(api, desk, alice):
    books.course("knots", price=40)
    books.course("sails", price=20)
    books.bundle("harbour", 30, "knots", "sails")
    books.give(alice, 30)
    order = books.buy(api.as_(alice), None, bundle="harbour").json()["id"]
    line = OrderLine.objects.get(order=order, title="Sails")
    assert (
        f"/admin/wallet/orderline/{line.pk}/change/"
        in desk.get(f"/admin/wallet/order/{order}/change/").content.decode()
    )
    assert act(desk, "/admin/wallet/orderline/", "refund", line, reason="Asked for") == [
        f"Sails in order {order} is refunded."
    ]
    assert Wallet.objects.get(user=alice).balance == line.price == 10
    assert list(Enrolment.objects.filter(ended_at=None).values_list("course__slug", flat=True)) == ["knots"]
    page = ask(desk, "/admin/wallet/order/", "refund", order)
    assert [said for _, said in page.context["allowed"]] == ["Knots of alice, for 20 credits"]


def test_above_the_limit_it_waits_for_somebody_else_there_too(settings, desk, alice, order):
    settings.APPROVAL_LIMIT = 39
    told = act(desk, "/admin/wallet/order/", "refund", order, times=2, reason="Asked for")
    assert told == [f"That is above the limit: {Approval.objects.get()} waits for somebody else's approval."]
    assert Wallet.objects.get(user=alice).balance == 60


@pytest.mark.parametrize("page", ["order", "orderline"])
def test_who_may_only_look_at_orders_refunds_none_there(client, alice, bob, order, page):
    bob.is_staff = True
    bob.save()
    client.force_login(permit(bob, "wallet.view_order", "wallet.view_orderline"))
    row = order if page == "order" else OrderLine.objects.get()
    sure = {"confirmed": "yes", "once": str(uuid.uuid4()), "reason": "For me"}
    ask(client, f"/admin/wallet/{page}/", "refund", row, **sure)
    assert Wallet.objects.get(user=alice).balance == 60
    permit(bob, "payments.refund")
    ask(client, f"/admin/wallet/{page}/", "refund", row, **sure)
    assert Wallet.objects.get(user=alice).balance == 100
