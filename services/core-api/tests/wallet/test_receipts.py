"""Receipts: what they say, and who gets them."""

import io
import uuid
from importlib import import_module

import psycopg
import pytest
from django.apps import apps
from django.test import Client
from pypdf import PdfReader

from courses.models import Course
from tests import books, environment
from tests.admin_pages import permit
from wallet.models import Coupon, Order, OrderLine


@pytest.fixture
def order(api, alice):
    books.course("knots", title="Knots & <b>bends</b>", price=40)
    books.give(alice, 100)
    return books.buy(api.as_(alice)).json()["id"]


def path_of(order):
    return f"/api/v1/orders/{order}/receipt.pdf"


def pages_of(answer):
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    return [" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(answer.content)).pages]


def text_of(answer):
    return " ".join(pages_of(answer))


def test_alice_gets_the_receipt_of_her_order(api, alice, order):
    answer = api.as_(alice).get(path_of(order))
    assert answer["Content-Disposition"] == f'attachment; filename="receipt-{order}.pdf"'
    assert answer["Cache-Control"] == "private, no-store"
    text, bought = text_of(answer), Order.objects.get(pk=order)
    for said in (
        "Issued by Lectern, 127.0.0.1:8000",
        f"Receipt number {order}",
        f"Date {bought.created_at:%Y-%m-%d %H:%M} UTC",
        "Buyer Alice (alice)",
        "Knots & <b>bends</b> 40 0 40",
        "Sum in credits 40",
        "Paid with credits of a prepaid balance. This receipt is not a tax invoice.",
    ):
        assert said in text
    assert "Refunded" not in text
    assert "Coupon" not in text


def test_its_metadata_name_the_order_and_no_machine(api, alice, order):
    pdf = PdfReader(io.BytesIO(api.as_(alice).get(path_of(order)).content))
    at = Order.objects.get(pk=order).created_at.replace(microsecond=0)
    assert (pdf.metadata.title, pdf.metadata.creation_date) == (f"Receipt {order}", at)
    assert (pdf.metadata.producer, pdf.metadata.creator) == ("Lectern", "Lectern")


def test_the_same_order_makes_the_same_file(api, alice, order):
    first, again = (api.as_(alice).get(path_of(order)).content for _ in range(2))
    assert first == again


def test_a_file_may_be_asked_for_as_what_it_is(api, alice, order):
    assert api.as_(alice).get(path_of(order), headers={"Accept": "application/pdf"}).status_code == 200
    missing = api.as_(alice).get(path_of(uuid.uuid4()), headers={"Accept": "application/pdf"})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


def test_nobody_elses_receipt_is_there_not_even_for_finance(api, bob, fiona, order):
    for person in (bob, fiona):
        assert api.as_(person).get(path_of(order)).status_code == 404
    assert api.get(path_of(order)).status_code == 401


def test_a_coupon_and_its_discount_are_told(api, alice):
    books.course("knots", price=40)
    Coupon.objects.create(code="SPRING", percent=25)
    books.give(alice, 100)
    order = books.buy(api.as_(alice), coupon="spring").json()["id"]
    text = text_of(api.as_(alice).get(path_of(order)))
    assert "Coupon SPRING" in text
    assert "Knots 40 -10 30" in text


def test_a_refunded_line_says_when_and_the_sums_what_is_left(api, alice, root):
    for slug, price in (("knots", 40), ("sails", 20)):
        books.course(slug, price=price)
    books.bundle("harbour", 45, "knots", "sails")
    books.give(alice, 100)
    order = books.buy(api.as_(alice), None, bundle="harbour").json()
    before = api.as_(alice).get(path_of(order["id"])).content
    back = next(line for line in order["lines"] if line["course"] == "sails")
    api.as_(root).post(
        f"/api/v1/orders/{order['id']}/refund/",
        {"reason": "Asked for", "lines": [back["id"]]},
        headers={"Idempotency-Key": books.new_key()},
    )
    answer = api.as_(alice).get(path_of(order["id"]))
    at = Order.objects.get().lines.get(pk=back["id"]).refunded_at
    text = text_of(answer)
    assert f"Sails Refunded on {at:%Y-%m-%d %H:%M} UTC 15 0 15" in text
    assert text.count("Refunded on") == 1
    assert "Sum in credits 45 Refunded -15 Paid after refunds 30" in text
    assert answer.content != before


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("Grüße, Łódź, Český", "Grüße, Łódź, Český 0"),
        ("Здравствуйте, Ελλάδα", "Здравствуйте, Ελλάδα 0"),
        ("e\u0301toile", "\u00e9toile 0"),
        ("漢字 & 🎓", "\ufffd\ufffd & \ufffd knots 0"),  # by its slug then
        ("مرحبا", "\ufffd" * 5 + " knots 0"),
        ("bell\x07 tab\tline\nend", "bell\ufffd tab line end knots 0"),
        ("\U0010ffff\u202e</para>", "\ufffd"),
        ("&#0; &amp; <img src='file:///etc/passwd'/>", "&#0; &amp; <img src='file:///etc/passwd'/> 0"),
        ("W" * 200, "W" * 20),
    ],
)
def test_a_title_may_be_anything(api, alice, title, written):
    books.course("knots", title=title, price=0)
    order = books.buy(api.as_(alice)).json()["id"]
    assert written in text_of(api.as_(alice).get(path_of(order)))


def test_the_buyers_name_may_be_anything_too(api, alice, order):
    type(alice).objects.filter(pk=alice.pk).update(name="<Ålice> 爱丽丝")
    assert "Buyer <Ålice> \ufffd\ufffd\ufffd (alice)" in text_of(api.as_(alice).get(path_of(order)))


def test_many_lines_go_over_pages_with_the_heads_on_each(api, alice):
    slugs = [f"course-{number:02}" for number in range(60)]
    for slug in slugs:
        books.course(
            slug, price=1, title=f"{slug} with a title that is so long that it has to go over two lines of the page"
        )
    books.bundle("all", 60, *slugs)
    books.give(alice, 60)
    order = books.buy(api.as_(alice), None, bundle="all").json()["id"]
    pages = pages_of(api.as_(alice).get(path_of(order)))
    assert len(pages) > 2
    for number, page in enumerate(pages, 1):
        assert "Course List price Discount Price in credits" in page
        assert f"Receipt {order} Page {number}" in page
    assert all(slug in " ".join(pages) for slug in slugs)
    assert "Sum in credits 60" in pages[-1]
    assert "course-" in pages[-1]


def test_staff_who_may_see_orders_get_it_in_the_admin_site(api, alice, fiona, ines, order):
    browser = Client()
    browser.force_login(permit(fiona, "wallet.view_order"))
    page = browser.get(f"/admin/wallet/order/{order}/change/")
    path = f"/admin/wallet/order/{order}/receipt.pdf"
    assert f'href="{path}"' in page.content.decode()
    theirs, hers = browser.get(path), api.as_(alice).get(path_of(order))
    assert theirs.content == hers.content
    assert "no-store" in theirs["Cache-Control"]
    assert browser.get(f"/admin/wallet/order/{uuid.uuid4()}/receipt.pdf").status_code == 404
    browser.force_login(ines)
    assert browser.get(path).status_code == 403
    assert Client().get(path).status_code == 302


def test_a_course_that_is_renamed_keeps_its_title_on_what_was_bought(api, alice, order):
    Course.objects.update(title="Ropes")
    for answer in (api.as_(alice).get(f"/api/v1/orders/{order}/"), api.as_(alice).get("/api/v1/orders/")):
        body = answer.json()
        (bought,) = body.get("results", [body])
        assert bought["lines"][0]["title"] == "Knots & <b>bends</b>"
    text = text_of(api.as_(alice).get(path_of(order)))
    assert "Knots & <b>bends</b> 40" in text
    assert "Ropes" not in text
    statement = api.as_(alice).get("/api/v1/wallet/statement/?start=2020-01-01&end=2100-01-01", HTTP_ACCEPT="*/*")
    assert "Ropes" not in b"".join(statement).decode()


def test_lines_of_before_are_called_as_their_courses_are_now(committed_db, api, alice, order):
    if environment.ON_POSTGRES:  # migrations run as the owner, who may
        with psycopg.connect(environment.database_address(None, committed_db)) as connection:
            connection.execute("GRANT UPDATE (title) ON core.wallet_orderline TO lectern_core")
    OrderLine.objects.update(title="")
    import_module("wallet.migrations.0008_titles_of_lines").name_as_now(apps, None)
    assert OrderLine.objects.get().title == "Knots & <b>bends</b>"
