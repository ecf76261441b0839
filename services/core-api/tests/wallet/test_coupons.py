"""Orders with a coupon."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from courses.models import Course
from tests import books
from wallet.admin import CouponAdmin
from wallet.models import Coupon, Order, Posting, Redemption, Wallet


@pytest.fixture
def half(database):
    return Coupon.objects.create(code="HALF", percent=50)


@pytest.fixture
def knots(alice):
    books.give(alice, 1000)
    return books.course("knots", price=45)


def problem(answer):
    return answer.status_code, answer.json()["code"]


def test_a_coupon_takes_its_part_off(api, alice, knots, half):
    order = books.buy(api.as_(alice), coupon="half").json()
    assert (order["price"], order["coupon"], order["balance"]) == (23, "HALF", 977)
    (line,) = order["lines"]
    assert (line["list_price"], line["discount"], line["price"]) == (45, 22, 23)
    assert Posting.objects.get(kind="purchase").amount == 23
    assert api.as_(alice).get(f"/api/v1/orders/{order['id']}/").json()["coupon"] == "HALF"


def test_credits_off_go_no_further_than_the_price(api, alice, knots):
    Coupon.objects.create(code="GIFT", credits=100)
    order = books.buy(api.as_(alice), coupon="GIFT").json()
    assert (order["price"], order["lines"][0]["discount"]) == (0, 45)
    assert not Posting.objects.filter(kind="purchase").exists()


def test_a_coupon_for_some_courses_takes_nothing_off_others(api, alice, knots, half):
    half.courses.add(knots)
    for slug, price in (("sails", 45), ("tides", 10)):
        books.course(slug, price=price)
    books.bundle("harbour", 60, "knots", "sails", "tides")
    assert problem(books.buy(api.as_(alice), "tides", coupon="HALF")) == (409, "coupon_not_for_this")
    order = books.buy(api.as_(alice), None, bundle="harbour", coupon="HALF", expected_price=60).json()
    assert {line["course"]: (line["list_price"], line["discount"]) for line in order["lines"]} == {
        "knots": (27, 13),
        "sails": (27, 0),
        "tides": (6, 0),
    }


def test_a_coupon_that_takes_nothing_off_is_refused_instead_of_used_up(api, alice, knots, half):
    Course.objects.update(price=0)
    assert problem(books.buy(api.as_(alice), coupon="HALF")) == (409, "coupon_not_for_this")
    half.refresh_from_db()
    assert half.used == 0


@pytest.mark.parametrize(
    ("coupon", "code"),
    [
        ({"code": "OTHER"}, "coupon_unknown"),
        ({"starts_at": timedelta(days=1)}, "coupon_unknown"),
        ({"starts_at": timedelta(days=-2), "ends_at": timedelta(days=-1)}, "coupon_expired"),
        ({"limit": 0}, "coupon_used_up"),
        ({"limit_per_person": 0}, "coupon_used_up"),
    ],
)
def test_a_coupon_that_is_not_valid_is_refused(api, alice, knots, coupon, code):
    now = timezone.now()
    coupon = {name: now + value if isinstance(value, timedelta) else value for name, value in coupon.items()}
    Coupon.objects.create(**{"code": "HALF", "percent": 50} | coupon)
    assert problem(books.buy(api.as_(alice), coupon="HALF")) == (409, code)
    assert not Order.objects.exists()


def test_each_person_uses_it_as_often_as_one_may(api, alice, bob, knots, half):
    books.give(bob, 100)
    books.course("sails", price=20)
    books.buy(api.as_(alice), coupon="HALF")
    assert problem(books.buy(api.as_(alice), "sails", coupon="HALF")) == (409, "coupon_used_up")
    assert books.buy(api.as_(bob), coupon="HALF").status_code == 201
    Coupon.objects.update(limit_per_person=2)
    assert books.buy(api.as_(alice), "sails", coupon="HALF").status_code == 201


def test_only_a_refund_of_the_whole_order_gives_the_coupon_back(api, alice, root, knots, half):
    books.course("sails", price=45)
    books.bundle("harbour", 60, "knots", "sails")
    order = books.buy(api.as_(alice), None, bundle="harbour", coupon="HALF").json()
    for line, used in zip(order["lines"], (1, 0), strict=True):
        headers = {"Idempotency-Key": books.new_key()}
        body = {"reason": "Asked for", "lines": [line["id"]]}
        assert api.as_(root).post(f"/api/v1/orders/{order['id']}/refund/", body, headers=headers).status_code == 200
        half.refresh_from_db()
        assert half.used == used
    assert Wallet.objects.get(user=alice).balance == 1000
    assert books.buy(api.as_(alice), coupon="HALF").status_code == 201


def test_an_order_that_fails_does_not_use_the_coupon(api, alice, half):
    books.course("knots", price=45)
    assert books.buy(api.as_(alice), coupon="HALF").status_code == 402
    half.refresh_from_db()
    assert half.used == 0


def test_the_last_coupon_for_fifty_at_once_is_one_persons(at_once, api, make_person):
    books.course("knots", price=45)
    Coupon.objects.create(code="LAST", percent=50, limit=1, used=0)
    people = [make_person(f"person-{number}") for number in range(50)]
    for person in people:
        books.give(person, 45)
    clients = [api.as_(person) for person in people]
    answers = at_once(50, lambda number: books.patiently(lambda: books.buy(clients[number], coupon="LAST")))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 49
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"coupon_used_up"}
    assert (Redemption.objects.count(), Coupon.objects.get().used) == (1, 1)
    assert sum(Wallet.objects.values_list("balance", flat=True)) == 50 * 45 - 23


def test_one_persons_only_use_for_many_orders_at_once_is_one(at_once, api, alice):
    books.give(alice, 1000)
    Coupon.objects.create(code="ONCE", percent=50)
    for number in range(8):
        books.course(f"course-{number}", price=10)
    client = api.as_(alice)
    answers = at_once(8, lambda number: books.patiently(lambda: books.buy(client, f"course-{number}", coupon="ONCE")))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


def test_the_database_counts_no_further_than_the_limit(half):
    Coupon.objects.update(limit=1, used=1)
    with pytest.raises(IntegrityError, match="coupon_used_within_limit"), transaction.atomic():
        Coupon.objects.update(used=2)
    Coupon.objects.update(used=0)


@pytest.mark.parametrize(
    "fields", [{"percent": 0}, {"percent": 101}, {"credits": 0}, {"percent": 5, "credits": 5}, {}, {"percent": None}]
)
def test_a_coupon_that_makes_no_sense_cannot_be_made(database, fields):
    with pytest.raises(IntegrityError, match="coupon_percent_or_credits"), transaction.atomic():
        Coupon.objects.create(code="ODD", **fields)


def test_an_admin_who_edits_a_coupon_does_not_reset_its_count(client, root, api, alice, knots, half, monkeypatch):
    save = CouponAdmin.save_model

    def buy_meanwhile(*args):
        books.buy(api.as_(alice), coupon="HALF")
        return save(*args)

    monkeypatch.setattr(CouponAdmin, "save_model", buy_meanwhile)
    client.force_login(root)
    form = {"code": "HALF", "percent": 40, "starts_at_0": "2020-01-01", "starts_at_1": "00:00:00"}
    answer = client.post(f"/admin/wallet/coupon/{half.pk}/change/", form)
    assert answer.status_code == 302, answer.context["errors"]
    half.refresh_from_db()
    assert (half.percent, half.used) == (40, 1)


def test_an_admin_who_allows_fewer_orders_than_there_are_is_told(client, root, half):
    Coupon.objects.update(used=3)
    client.force_login(root)
    form = {"code": "HALF", "percent": 50, "starts_at_0": "2020-01-01", "starts_at_1": "00:00:00"}
    answer = client.post(f"/admin/wallet/coupon/{half.pk}/change/", form | {"limit": 2})
    assert answer.context["errors"] == [["3 orders use it already. To stop it, let it end."]]
    assert client.post(f"/admin/wallet/coupon/{half.pk}/change/", form | {"limit": 3}).status_code == 302
    Coupon.objects.update(used=0)


@pytest.mark.postgres
def test_no_order_uses_a_coupon_while_a_form_that_lowers_its_limit_is_saved(at_once, client, root, half, monkeypatch):
    save, tried = CouponAdmin.save_model, []

    def use(_number):
        with transaction.atomic():
            Coupon.objects.select_for_update(no_key=True, nowait=True).get()
            Coupon.objects.update(used=1)

    def use_meanwhile(*args):
        tried.extend(at_once(1, use))
        return save(*args)

    monkeypatch.setattr(CouponAdmin, "save_model", use_meanwhile)
    client.force_login(root)
    form = {"code": "HALF", "percent": 50, "starts_at_0": "2020-01-01", "starts_at_1": "00:00:00", "limit": 0}
    assert client.post(f"/admin/wallet/coupon/{half.pk}/change/", form).status_code == 302
    assert [type(error) for error in tried] == [OperationalError]  # it waits
    assert Coupon.objects.get().limit == 0
