"""Mails about unread messages carry a way out that needs no log-in; no other mail has one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from accounts.models import User
from mail import unsubscribing
from mail.actions import do_queue, send
from tests.conftest import Api

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def link(alice: User, mailoutbox: list[Any]) -> str:
    """Out of the header of a mail to alice."""
    send(do_queue("ticket_unread", alice, "Unread", "There is a message.").pk)
    [sent] = mailoutbox
    assert sent.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = sent.extra_headers["List-Unsubscribe"].removeprefix("<").removesuffix(">")
    assert f"No more mails about unread messages: {address}" in sent.body
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


def wants(user: User) -> bool:
    user.refresh_from_db()
    return user.chat_mails


def test_a_mail_program_ends_them_with_one_post(link: str, alice: User, bob: User) -> None:
    mail_program = Client(enforce_csrf_checks=True)
    for _ in range(2):
        assert mail_program.post(link, ONE_CLICK).status_code == 200
        assert (wants(alice), wants(bob)) == (False, True)


def test_who_opens_the_link_is_asked_first(link: str, alice: User) -> None:
    page = Client().get(link)
    assert b"Stop these mails" in page.content
    assert page["Referrer-Policy"] == "no-referrer"
    assert wants(alice)  # what looks through mails opens their links
    assert b"switched off" in Client().post(link).content
    assert b"switched off" in Client().get(link).content


@pytest.mark.parametrize("spoil", [lambda token: "", lambda token: token[:-1], lambda token: "0" * 32 + token[32:]])
def test_a_link_that_nobody_signed_ends_nothing(alice: User, spoil: Any) -> None:
    token = unsubscribing.address(alice.pk).partition("token=")[2]
    for answer in (Client().get, Client().post):
        assert answer(f"/account/unsubscribe/?token={spoil(token)}").status_code == 404
    assert wants(alice)


def test_who_is_erased_has_no_link(link: str, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(erased_at="2026-01-01T00:00Z")
    assert Client().post(link).status_code == 404


def test_mails_about_the_account_have_no_way_out(alice: User, mailoutbox: list[Any]) -> None:
    for kind in ("password_changed", "receipt", "ticket_closes"):
        send(do_queue(kind, alice, "Subject", "Text").pk)
    assert [(each.body, "List-Unsubscribe" in each.extra_headers) for each in mailoutbox] == [("Text", False)] * 3


def test_a_person_switches_them_off_and_on(api: Api, alice: User) -> None:
    me = api.as_(alice)
    assert me.get("/api/v1/me/").json()["chat_mails"]
    for wanted in (False, True):
        assert me.patch("/api/v1/me/", {"chat_mails": wanted}).json()["chat_mails"] is wanted
        assert wants(alice) is wanted
    assert me.patch("/api/v1/me/", {"chat_mails": "perhaps"}).status_code == 422
