"""What people see of their wallet and their orders."""

import uuid

import pytest

from tests import books


def test_a_new_person_has_an_empty_wallet(api, alice):
    assert api.as_(alice).get("/api/v1/wallet/").json() == {"balance": 0, "promotional": [], **books.NOT_FROZEN}
    assert api.as_(alice).get("/api/v1/wallet/transactions/").json()["results"] == []


def test_movements_are_signed_and_newest_first(api, alice, bob):
    books.course("knots", price=40)
    books.give(alice, 100)
    books.give(bob, 7)
    order = books.buy(api.as_(alice)).json()
    page = api.as_(alice).get("/api/v1/wallet/transactions/").json()
    assert page["count"] == 2
    assert [(row["kind"], row["amount"], row["balance_after"]) for row in page["results"]] == [
        ("purchase", -40, 60),
        ("adjustment", 100, 100),
    ]
    assert (page["results"][0]["order"], page["results"][0]["note"]) == (order["id"], "Knots")
    assert page["results"][0]["created_at"].endswith("Z")


def test_movements_come_in_pages(api, alice):
    for _ in range(3):
        books.give(alice, 1)
    page = api.as_(alice).get("/api/v1/wallet/transactions/?page_size=2").json()
    assert (page["count"], [row["balance_after"] for row in page["results"]]) == (3, [3, 2])
    rest = api.as_(alice).get(page["next"]).json()
    assert ([row["balance_after"] for row in rest["results"]], rest["next"]) == ([1], None)


def test_orders_are_newest_first_and_ones_own(api, alice, bob):
    books.course("knots", price=40)
    books.course("sails", price=10)
    books.give(alice, 100)
    first, second = (books.buy(api.as_(alice), slug).json() for slug in ("knots", "sails"))
    page = api.as_(alice).get("/api/v1/orders/").json()
    assert [order["id"] for order in page["results"]] == [second["id"], first["id"]]
    del first["balance"]
    assert api.as_(alice).get(f"/api/v1/orders/{first['id']}/").json() == first
    assert api.as_(bob).get("/api/v1/orders/").json()["count"] == 0


def test_orders_are_read_in_as_many_queries_however_many_there_are(api, alice, django_assert_max_num_queries):
    client = api.as_(alice)
    for number in range(4):
        books.course(f"course-{number}", price=0)
        books.buy(client, f"course-{number}")
    with django_assert_max_num_queries(6):  # who asks (several), count, orders, lines with courses and enrolments
        assert len(client.get("/api/v1/orders/").json()["results"]) == 4


def test_somebody_elses_order_is_not_found(api, alice, bob):
    books.course("knots", price=0)
    order = books.buy(api.as_(alice)).json()
    for address in (f"/api/v1/orders/{order['id']}/", f"/api/v1/orders/{uuid.uuid4()}/", "/api/v1/orders/7/"):
        answer = api.as_(bob).get(address)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["wallet/", "wallet/transactions/", "orders/", f"orders/{uuid.uuid4()}/"])
def test_a_stranger_sees_nothing(api, path):
    answer = api.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
