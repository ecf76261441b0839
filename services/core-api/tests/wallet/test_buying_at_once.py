"""The same wallet, many requests at once. Each of these has its own database, where commits are real."""

from accounts.models import User
from learning.models import Enrolment
from tests import books
from wallet.models import Order, Posting, Wallet


def codes(answers):
    assert not [answer for answer in answers if isinstance(answer, Exception)], answers
    return sorted(answer.status_code for answer in answers)


def test_one_course_with_twenty_keys_is_one_order(at_once, api, alice):
    books.course("knots", price=40)
    books.give(alice, 1000)
    client = api.as_(alice)
    answers = at_once(20, lambda number: books.patiently(lambda: books.buy(client, key=f"k-{number}")))
    assert codes(answers) == [201] + [409] * 19
    assert (Order.objects.count(), Enrolment.objects.count()) == (1, 1)
    assert Wallet.objects.get().balance == 960
    books.assert_books_are_right()


def test_one_key_twenty_times_is_one_order_and_one_answer(at_once, api, alice):
    books.course("knots", price=40)
    books.give(alice, 1000)
    client = api.as_(alice)
    answers = at_once(20, lambda number: books.patiently(lambda: books.buy(client, key="the-same")))
    assert codes(answers) == [201] * 20
    assert len({answer.content for answer in answers}) == 1
    assert (Order.objects.count(), Wallet.objects.get().balance) == (1, 960)
    books.assert_books_are_right()


def test_credit_for_ten_buys_ten_of_thirty(at_once, api, alice):
    for number in range(30):
        books.course(f"course-{number}", price=40)
    books.give(alice, 419)
    client = api.as_(alice)
    answers = at_once(30, lambda number: books.patiently(lambda: books.buy(client, f"course-{number}")))
    assert codes(answers) == [201] * 10 + [402] * 20
    assert (Order.objects.count(), Enrolment.objects.count()) == (10, 10)
    assert Wallet.objects.get().balance == 19
    books.assert_books_are_right()


def test_thirty_first_uses_make_one_wallet(at_once, api, alice):
    for number in range(30):
        books.course(f"course-{number}", price=0)
    client = api.as_(alice)
    assert (
        codes(at_once(30, lambda number: books.patiently(lambda: books.buy(client, f"course-{number}")))) == [201] * 30
    )
    assert Wallet.objects.count() == 1


def test_refunds_purchases_and_gifts_at_once_leave_the_books_right(at_once, api, alice, root):
    for number in range(8):
        books.course(f"course-{number}", price=10)
    books.give(alice, 40)
    client, finance = api.as_(alice), api.as_(root)
    orders = [books.buy(client, f"course-{number}").json()["id"] for number in range(4)]

    def act(number):
        match number % 3:
            case 0:
                key = {"Idempotency-Key": books.new_key()}
                return finance.post(f"/api/v1/orders/{orders[number // 6]}/refund/", {"reason": "x"}, headers=key)
            case 1:
                return books.buy(client, f"course-{4 + number // 6}")
            case _:
                return books.give(User.objects.get(pk=alice.pk), 5)

    results = at_once(24, lambda number: books.patiently(lambda: act(number)))
    assert not [result for result in results if isinstance(result, Exception)], results
    assert Posting.objects.filter(kind="refund").count() == 4  # each twice asked for, each once done
    books.assert_books_are_right()
