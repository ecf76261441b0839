"""The mail about a log-in from a device that the account did not know."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import devices
from accounts.models import KnownDevice, User
from accounts.tasks import purge_expired_logins
from mail.models import Mail
from tests.conftest import PASSWORD, Api

LAPTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0"
UPDATED = LAPTOP.replace("144", "145")
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 Version/19.1 Mobile Safari/604.1"
HOME, HOME_TOMORROW, ABROAD = "198.51.100.7", "198.51.7.100", "203.0.113.9"


def log_in(user_agent: str = LAPTOP, address: str = HOME, name: str = "alice") -> None:
    body = {"username": name, "password": PASSWORD}
    answer = Api().post("/api/v1/auth/token/", body, HTTP_USER_AGENT=user_agent, REMOTE_ADDR=address)
    assert answer.status_code == 200, answer.content


def letters(user: User) -> list[str]:
    return list(Mail.objects.filter(user=user, kind="new_device").order_by("created_at").values_list("text", flat=True))


def test_alice_is_told_of_a_login_from_elsewhere_once(alice: User) -> None:
    log_in()
    assert letters(alice) == []  # the first ever is hers
    for _ in range(2):
        log_in(address=ABROAD)
    (text,) = letters(alice)
    assert f"with Firefox on Windows, from the address {ABROAD}" in text
    assert "http://127.0.0.1:8000/account/reset/" in text


def test_a_new_kind_of_program_at_home_is_news(alice: User) -> None:
    log_in()
    log_in(PHONE)
    (text,) = letters(alice)
    assert "with Safari on an iPhone" in text


def test_neither_an_update_nor_a_new_address_at_home_is_news(alice: User) -> None:
    log_in()
    log_in(UPDATED, HOME_TOMORROW)
    assert letters(alice) == []


def test_in_ipv6_the_neighbourhood_is_what_a_provider_has(alice: User) -> None:
    log_in(address="2001:db8:1:2::3")
    log_in(address="2001:db8:ffff::1")
    assert letters(alice) == []
    log_in(address="2001:db9::1")
    assert len(letters(alice)) == 1


def test_a_thief_writes_nothing_into_the_mail(alice: User) -> None:
    log_in()
    log_in("All is well, call +1 555 0100", ABROAD)
    (text,) = letters(alice)
    assert "with an app or a program, from" in text
    assert "555" not in text


def test_failed_logins_make_no_device_known(alice: User) -> None:
    log_in()
    Api().post("/api/v1/auth/token/", {"username": "alice", "password": "wrong"}, REMOTE_ADDR=ABROAD)
    assert letters(alice) == []
    log_in(address=ABROAD)
    assert len(letters(alice)) == 1


def test_the_admin_site_tells_too(fiona: User) -> None:
    def enter(address: str) -> None:
        client = Client(REMOTE_ADDR=address, HTTP_USER_AGENT=LAPTOP)
        assert client.post("/admin/login/", {"username": "fiona", "password": PASSWORD}).status_code == 302

    log_in(name="fiona")
    enter(HOME)
    assert letters(fiona) == []
    enter(ABROAD)
    assert len(letters(fiona)) == 1


def test_bobs_devices_are_not_alices(alice: User, bob: User) -> None:
    log_in()
    log_in(name="bob", address=ABROAD)
    log_in(address=ABROAD)
    assert (len(letters(alice)), letters(bob)) == (1, [])


def test_a_device_is_forgotten_after_a_year_but_for_the_newest(alice: User, bob: User) -> None:
    for name in ("alice", "bob"):
        log_in(name=name)
    log_in(PHONE)
    log_in(PHONE, ABROAD)
    long_ago = timezone.now() - devices.KEPT
    for days, device in enumerate(KnownDevice.objects.order_by("last_login_at"), start=1):
        KnownDevice.objects.filter(pk=device.pk).update(last_login_at=long_ago - timedelta(days=5 - days))
    purge_expired_logins()
    assert (alice.known_devices.count(), bob.known_devices.count()) == (1, 1)
    log_in()
    assert len(letters(alice)) == 3  # that rested account's log-in is news


@pytest.mark.postgres
def test_of_two_logins_at_once_from_a_new_device_one_is_news(at_once, alice: User) -> None:
    log_in()
    assert at_once(4, lambda _: log_in(address=ABROAD)) == [None] * 4
    assert len(letters(alice)) == 1


@pytest.mark.postgres
def test_of_the_first_logins_ever_from_two_devices_at_once_one_is_news(at_once, alice: User) -> None:
    assert at_once(2, lambda number: log_in((LAPTOP, PHONE)[number])) == [None] * 2
    assert len(letters(alice)) == 1


def test_what_is_kept_says_nothing(alice: User) -> None:
    log_in()
    (device,) = KnownDevice.objects.values()
    assert set(device) == {"key", "user_id", "last_login_at"}
    assert len(bytes(device["key"])) == 32
